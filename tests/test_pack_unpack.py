import zipfile

import pytest
from release import rewritten

from t3d.errors import T3DError
from t3d.pack.unpack import unpack_zips

NAME = "t3d_segmentation"


@pytest.fixture
def folder(release, tmp_path):
    unpack_zips([release[NAME]], tmp_path)
    return tmp_path / NAME


def test_unpacking_overwrites_nothing(release, folder, tmp_path):
    (folder / "LICENSE").write_text("mine")
    with pytest.raises(T3DError, match=f"{NAME} exists already"):
        unpack_zips([release["t3d_pretrain"], release[NAME]], tmp_path)
    assert (folder / "LICENSE").read_text() == "mine" and not (tmp_path / "t3d_pretrain").exists()
    with pytest.raises(T3DError, match="same bundle"):
        unpack_zips([release["t3d_pretrain"]] * 2, tmp_path)


def test_one_bad_zip_of_several_leaves_nothing_behind(release, tmp_path):
    change = {"t3d/reports/chest_abdomen_ct.json": b"{}"}
    wrong = rewritten(release[NAME], tmp_path / "bad.zip", change=change)
    with pytest.raises(T3DError):
        unpack_zips([release["t3d_pretrain"], wrong], tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_full_disk_leaves_nothing_behind(release, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("t3d.pack.verify._target", full)
    with pytest.raises(T3DError, match="could not write .*No space left on device"):
        unpack_zips([release[NAME]], tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_an_unpacked_folder_is_what_pythons_own_unzip_makes(release, folder, tmp_path):
    with zipfile.ZipFile(release[NAME]) as archive:
        archive.extractall(tmp_path / "plain")
    ours = {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    theirs = tmp_path / "plain" / NAME
    assert ours == {p.relative_to(theirs): p.read_bytes() for p in theirs.rglob("*") if p.is_file()}
