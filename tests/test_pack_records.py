import json
import re
import subprocess
import sys

import pytest
from bundle_runs import REPOSITORY
from release import BUNDLES

from t3d.errors import T3DError
from t3d.pack.described_weights import described_weights
from t3d.pack.portable_record import local_text_encoder, portable_record


def requirements(bundle):
    """What the card's install line installs, as the environment of make test-zips reads it."""
    script = REPOSITORY / "scripts" / "card_requirements.py"
    card = REPOSITORY / "bundles" / bundle / "docs" / "README.md"
    return subprocess.run([sys.executable, script, card], check=True, capture_output=True, text=True).stdout.split()


def name_of(requirement):
    return re.split(r"[<>=]", requirement)[0]


@pytest.mark.parametrize("bundle", BUNDLES)
def test_the_cards_install_line_is_what_the_package_and_the_metadata_ask_for(bundle):
    found = requirements(bundle)
    project = re.search(r"^dependencies = \[\n(.*?)\n\]", (REPOSITORY / "pyproject.toml").read_text(), re.M | re.S)
    needed = re.findall(r'"([^"]+)"', project.group(1))
    text = re.search(r'^text = \["([^"]+)"\]', (REPOSITORY / "pyproject.toml").read_text(), re.M).group(1)
    # the text encoder is the pre-training's; MONAI reads large_files.yml with pyyaml
    assert set(found) == {*needed, "pyyaml>=5.4"} | ({text} if bundle == "t3d_pretrain" else set())
    metadata = json.loads((REPOSITORY / "bundles" / bundle / "configs" / "metadata.json").read_text())
    assert set(metadata["required_packages_version"]) <= {name_of(requirement) for requirement in found}


@pytest.mark.parametrize("bundle", BUNDLES)
@pytest.mark.parametrize("name", ["train", "inference", "multi_gpu_train"])
def test_configurations_find_the_code_beside_them_first(bundle, name):
    config = json.loads((REPOSITORY / "bundles" / bundle / "configs" / f"{name}.json").read_text())
    first = config["initialize"][0]
    assert first.startswith("$sys.path.insert(1, os.path.abspath(@bundle_root))")
    # an overlay adds its imports to those of train.json
    assert {"$import os", "$import sys", "$import inspect"} <= set(config.get("imports", [])) or "+imports" in config


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("StanfordAIMI/RadBERT", "StanfordAIMI/RadBERT"),
        ("bert-base-uncased", "bert-base-uncased"),
        ("/data/me/bert", "bert"),
        ("/data/me/bert/", "bert"),
        ("./bert", "bert"),
        ("demo/t3d/eval/bert", "bert"),
        ("C:\\Users\\me\\bert", "bert"),
        ("~/bert", "bert"),
        (None, None),
    ],
)
def test_paths_of_the_training_machine_are_reduced(tmp_path, value, kept):
    path = tmp_path / "encoder.json"
    path.write_text(json.dumps({"text": {"text_encoder": value}, "recipe": {"seed": 0}}))
    before = path.read_bytes()
    assert json.loads(portable_record(path)) == {"text": {"text_encoder": kept}, "recipe": {"seed": 0}}
    assert local_text_encoder(path) == (value if value != kept else None)
    assert path.read_bytes() == before and (value != kept or portable_record(path) == before)


def test_a_damaged_record_is_named(tmp_path):
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(T3DError, match="model.json is damaged"):
        portable_record(tmp_path / "model.json")


def test_only_the_output_changes():
    path = REPOSITORY / "bundles" / "t3d_segmentation" / "configs" / "metadata.json"
    metadata = json.loads(path.read_text())
    labels = json.loads(path.with_name("labels_btcv.json").read_text())
    found = described_weights(metadata, {"labels": labels})
    assert found["network_data_format"] == metadata["network_data_format"]
    assert {key for key in metadata if found[key] != metadata[key]} == {"label_classes"}
    tumour = described_weights(metadata, {"labels": {"tumour": 2, "background": 0}})
    pred = tumour["network_data_format"]["outputs"]["pred"]
    assert pred["channel_def"] == {"0": "background", "1": "tumour"} and pred["num_channels"] == 2
    assert json.loads(path.read_text()) == metadata
