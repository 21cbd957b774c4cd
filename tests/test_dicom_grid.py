import builtins
import logging

import numpy as np
import pytest

pytest.importorskip("pydicom")
from dicom_writer import ct, write_series  # noqa: E402
from pydicom import dcmread  # noqa: E402
from pydicom.uid import generate_uid  # noqa: E402

from t3d.errors import T3DError  # noqa: E402
from t3d.volume.dicom_series import check_series  # noqa: E402


def refused(folder, *parts: str) -> None:
    with pytest.raises(T3DError) as caught:
        check_series(folder)
    for part in (f"DICOM folder {folder.name}", *parts):
        assert part in str(caught.value)


def edit(file, **values) -> None:
    data = dcmread(file)
    for key, value in values.items():
        if value is None:
            delattr(data, key)
        else:
            setattr(data, key, value)
    data.save_as(file)


def files(folder) -> list:
    return sorted(folder.iterdir())


def test_good_series_pass(tmp_path, caplog):
    write_series(tmp_path / "a", ct())
    write_series(tmp_path / "b", ct(), numbers=[6, 5, 4, 3, 2, 1])
    turned = np.array([0.0, np.cos(0.3), np.sin(0.3)])
    write_series(tmp_path / "oblique", ct(), column=turned)
    (tmp_path / "a" / "README").write_text("not a DICOM file")
    (tmp_path / "a" / "._slice").write_text("what macOS leaves")
    with caplog.at_level(logging.WARNING):
        for name in ("a", "b", "oblique"):
            check_series(tmp_path / name)
    assert not caplog.records


def test_positions_rounded_to_a_tenth_pass(tmp_path):
    write_series(tmp_path / "s", ct((4, 4, 12)), spacing=(0.8, 0.8, 0.6250))
    for file in files(tmp_path / "s"):
        place = [round(float(v), 1) for v in dcmread(file).ImagePositionPatient]
        edit(file, ImagePositionPatient=place)
    check_series(tmp_path / "s")


def test_two_series_of_about_one_size(tmp_path):
    first, second = generate_uid(), generate_uid()
    write_series(tmp_path / "s", ct(), series=first)
    write_series(tmp_path / "s", ct((12, 10, 5)), series=second, prefix="other")
    refused(tmp_path / "s", "2 series", f"{first} with 6 files", f"{second} with 5 files", "folder of its own")


def test_missing_slices_names_the_gap(tmp_path):
    write_series(tmp_path / "s", ct((4, 4, 9)), skip=(3, 4))
    refused(tmp_path / "s", "7.50 mm between slices 3 and 6", "2.50 mm are usual", "(1 such gaps)")


def test_doubled_slices(tmp_path):
    uid = generate_uid()
    write_series(tmp_path / "s", ct(), series=uid)
    write_series(tmp_path / "s", ct(seed=1), series=uid, prefix="phase2", numbers=range(7, 13))
    refused(tmp_path / "s", "at the same position", "second phase")


def test_slices_of_different_size(tmp_path):
    uid = generate_uid()
    write_series(tmp_path / "s", ct(), series=uid)
    write_series(tmp_path / "s", ct((8, 8, 2)), series=uid, prefix="small", origin=(-100, -80, 55))
    refused(tmp_path / "s", "different size", "6 of 10 x 12", "2 of 8 x 8")


@pytest.mark.parametrize("name", ["PixelSpacing", "ImageOrientationPatient"])
def test_slices_that_differ(tmp_path, name):
    write_series(tmp_path / "s", ct())
    value = {"PixelSpacing": [0.5, 0.5], "ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}[name]
    edit(files(tmp_path / "s")[2], **{name: value})
    refused(tmp_path / "s", f"differ in {name}")


@pytest.mark.parametrize("name", ["ImagePositionPatient", "PixelSpacing", "ImageOrientationPatient"])
def test_slices_without_geometry(tmp_path, name):
    write_series(tmp_path / "s", ct())
    edit(files(tmp_path / "s")[0], **{name: None})
    refused(tmp_path / "s", f"1 of 6 slices have no {name}")


def test_folders_that_are_no_series(tmp_path):
    (tmp_path / "s").mkdir()
    refused(tmp_path / "s", "no DICOM image files")
    (tmp_path / "s" / "notes.txt").write_text("x" * 500)
    refused(tmp_path / "s", "no DICOM image files")
    write_series(tmp_path / "one", ct((4, 4, 1)))
    refused(tmp_path / "one", "a single slice")
    write_series(tmp_path / "deep", ct())
    (tmp_path / "deep" / "inner").mkdir()
    refused(tmp_path / "deep", "sub-folder inner")
    write_series(tmp_path / "frames", ct(), NumberOfFrames=2)
    refused(tmp_path / "frames", "multi-frame")


def test_other_modality_is_a_warning(tmp_path, caplog):
    write_series(tmp_path / "s", ct(), modality="MR")
    with caplog.at_level(logging.WARNING):
        check_series(tmp_path / "s")
    assert "MR, not CT" in caplog.text and "DICOM folder s" in caplog.text


def test_without_pydicom(tmp_path, monkeypatch):
    write_series(tmp_path / "s", ct())
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "pydicom":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    refused(tmp_path / "s", "pip install pydicom")


def test_messages_name_no_patient(tmp_path):
    write_series(tmp_path / "s", ct(), skip=(2,))
    with pytest.raises(T3DError) as caught:
        check_series(tmp_path / "s")
    assert "Secret" not in str(caught.value)
