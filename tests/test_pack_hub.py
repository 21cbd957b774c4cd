import shutil
from pathlib import Path

import monai.bundle.scripts as scripts
import pytest
import yaml
from bundle_runs import REPOSITORY
from monai.bundle import push_to_hf_hub
from release import models

from t3d.errors import T3DError
from t3d.pack.packages import find_bundles, pack_bundles
from t3d.pack.verify import verify_packages

NAME = "t3d_classification"


@pytest.fixture
def hub(tmp_path):
    weights = models(tmp_path / "weights")
    pack_bundles(find_bundles(REPOSITORY / "bundles"), hub_dir=tmp_path / "hub", models_root=weights)
    return tmp_path / "hub"


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_folder_has_a_model_card_that_the_hub_reads_and_no_links(hub):
    for folder in hub.iterdir():
        assert not [path for path in folder.rglob("*") if path.is_symlink()]
        _, front, text = (folder / "README.md").read_text().split("---\n", 2)
        front = yaml.safe_load(front)
        assert front == {"tags": ["monai", "medical"], "library_name": "monai", "license": "apache-2.0"}
        assert text == (folder / "docs" / "README.md").read_text()
        assert (folder / "models" / "model.pt").is_file() and (folder / "t3d" / "__init__.py").is_file()
    assert [found.name for found in verify_packages(sorted(hub.iterdir()))][0] == NAME


def test_monai_uploads_exactly_that_folder(hub, monkeypatch, tmp_path):
    calls = []

    class Api:
        def __init__(self, token=None):
            calls.append(("token", token))

        def create_repo(self, **options):
            calls.append(("create_repo", options["repo_id"], options["private"]))

        def upload_folder(self, *, repo_id, folder_path):
            calls.append(("upload_folder", repo_id))
            shutil.copytree(folder_path, tmp_path / "uploaded")
            return f"https://huggingface.co/{repo_id}"

        def create_tag(self, **options):
            calls.append(("create_tag", options["tag"]))

    monkeypatch.setattr(scripts.huggingface_hub, "HfApi", Api, raising=False)
    before = content(hub / NAME)
    url = push_to_hf_hub(repo=f"lab/{NAME}", name=NAME, bundle_dir=str(hub), token="none", version="0.1.0")
    assert url == f"https://huggingface.co/lab/{NAME}"
    assert [call[0] for call in calls] == ["token", "create_repo", "upload_folder", "create_tag"]
    # MONAI writes README.md anew: in these very bytes, or its checksum would no longer hold
    assert content(hub / NAME) == before == content(tmp_path / "uploaded")
    shutil.move(tmp_path / "uploaded", tmp_path / "down" / NAME)
    assert verify_packages([Path(tmp_path / "down" / NAME)])


def test_a_folder_that_exists_is_left_as_it_is(hub):
    (hub / NAME / "mine.txt").write_text("mine")
    with pytest.raises(T3DError, match=f"{NAME} exists already"):
        pack_bundles(find_bundles(REPOSITORY / "bundles", [NAME]), hub_dir=hub)
    assert (hub / NAME / "mine.txt").read_text() == "mine"
