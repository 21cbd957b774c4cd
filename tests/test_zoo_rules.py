import json
import shutil
import subprocess

import pytest
from bundle_runs import REPOSITORY
from release import BUNDLES
from zoo_rules import LARGEST, broken_rules

from t3d.pack.large_files import LARGE_FILES


@pytest.fixture
def bundle(tmp_path):
    for folder in ("configs", "docs"):
        shutil.copytree(REPOSITORY / "bundles" / "t3d_segmentation" / folder, tmp_path / "t3d_segmentation" / folder)
    shutil.copy(REPOSITORY / "LICENSE", tmp_path / "t3d_segmentation")
    return tmp_path / "t3d_segmentation"


def rewrite(bundle, name, change):
    path = bundle / "configs" / f"{name}.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("name", BUNDLES)
def test_bundles_of_the_repository_are_ready(name):
    weights = REPOSITORY / "bundles" / name / "models"
    # weights of a training in this checkout are not part of the repository
    found = [rule for rule in broken_rules(REPOSITORY / "bundles" / name) if not rule.startswith("models/")]
    assert found == [] and weights.is_dir()


def test_no_weights_are_committed():
    done = subprocess.run(["git", "ls-files", "bundles"], cwd=REPOSITORY, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("this is no git checkout")
    files = done.stdout.split()
    assert files and not [f for f in files if f.endswith((".pt", ".ts", ".onnx", ".safetensors", ".pth", ".ckpt"))]
    assert max((REPOSITORY / f).stat().st_size for f in files) < LARGEST


@pytest.mark.parametrize(
    "name", ["LICENSE", "configs/metadata.json", "configs/inference.json", "docs/README.md", "docs/data_license.txt"]
)
def test_a_missing_file_is_named(bundle, name):
    (bundle / name).unlink()
    assert broken_rules(bundle) == [f"{name} is missing"]


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("metadata", lambda c: c.update(version="0.1"), "version '0.1' is not of the form D.D.D"),
        ("metadata", lambda c: c.update(changelog={}), "the changelog does not describe version 0.1.0"),
        ("metadata", lambda c: c.pop("name"), "name is missing"),
        ("inference", lambda c: c.pop("inferer"), "inference.json: inferer is missing"),
        ("train", lambda c: c["train"].pop("handlers"), "train.json: train/handlers is missing"),
        ("train", lambda c: c["validate"].pop("evaluator"), "train.json: validate/evaluator is missing"),
        ("train", lambda c: c.update(dataset_dir="/home/me/data"), "the absolute path /home/me/data"),
    ],
)
def test_a_broken_rule_is_said(bundle, name, change, words):
    assert broken_rules(bundle) == []
    rewrite(bundle, name, change)
    assert any(words in rule for rule in broken_rules(bundle))


def test_names_sections_links_and_sizes(bundle, tmp_path):
    assert any("lower-case" in rule for rule in broken_rules(bundle.rename(tmp_path / "T3D-Segmentation")))
    bundle = (tmp_path / "T3D-Segmentation").rename(bundle)
    readme = bundle / "docs" / "README.md"
    readme.write_text(readme.read_text().replace("## Limits", "### Limits"))
    assert broken_rules(bundle) == ["docs/README.md has no section Limits"]
    (bundle / "models").mkdir()
    with open(bundle / "models" / "model.pt", "wb") as file:
        file.truncate(LARGEST + 1)
    (bundle / "docs" / "more.md").symlink_to(readme)
    found = broken_rules(bundle)
    assert any(rule.startswith("models/model.pt has") and LARGE_FILES in rule for rule in found)
    assert "docs/more.md is a symbolic link" in found
