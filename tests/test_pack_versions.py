import json
import shutil

import pytest
from bundle_runs import REPOSITORY
from release import BUNDLES

import t3d
from t3d.errors import T3DError
from t3d.pack.versions import checked_version


@pytest.fixture
def bundle(tmp_path):
    folder = tmp_path / "t3d_pretrain"
    shutil.copytree(REPOSITORY / "bundles" / "t3d_pretrain" / "configs", folder / "configs")
    return folder


def change(bundle, **values):
    path = bundle / "configs" / "metadata.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.parametrize("name", BUNDLES)
def test_shipped_metadata_changelog_and_package_agree(name):
    assert checked_version(REPOSITORY / "bundles" / name) == t3d.__version__


@pytest.mark.parametrize("values", [{"version": "0.0.9"}, {"changelog": {"0.0.9": "older"}}, {"changelog": "none"}])
def test_a_difference_names_the_three_values(bundle, values):
    change(bundle, **values)
    with pytest.raises(T3DError) as caught:
        checked_version(bundle)
    message = str(caught.value)
    assert message.startswith("t3d_pretrain: the versions differ")
    assert f"has version {values.get('version', t3d.__version__)}" in message
    assert f"t3d.__version__ is {t3d.__version__}" in message and "its changelog describes" in message


def test_versions_that_strings_would_sort_wrongly_are_refused(bundle, monkeypatch):
    monkeypatch.setattr(t3d, "__version__", "0.10.0")
    change(bundle, version="0.10.0", changelog={"0.10.0": "tenth"})
    with pytest.raises(T3DError, match="version 0.10.0 is not of the form D.D.D"):
        checked_version(bundle)


def test_a_folder_that_is_no_bundle(tmp_path):
    with pytest.raises(T3DError, match="no complete MONAI bundle"):
        checked_version(tmp_path)
