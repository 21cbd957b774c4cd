import logging

import nibabel as nib
import numpy as np
import pytest
from ignite.engine import Engine

from t3d.errors import T3DError
from t3d.volume.hu_plausibility import HuPlausibility, check_hu, warn_if_no_hu


@pytest.fixture
def warnings(caplog):
    caplog.set_level(logging.WARNING)
    return caplog


def volume(low, high, shape=(6, 6, 8)) -> np.ndarray:
    values = np.random.default_rng(0).uniform(low, high, shape)
    values.ravel()[:2] = low, high
    return values


@pytest.mark.parametrize(
    ("low", "high", "meaning"),
    [
        (0, 1, "nearly constant"),
        (-1000, -1000, "nearly constant"),
        (0, 255, "8-bit"),
        (0, 1800, "MR"),
        (-150, 400, "no air"),
        (24, 3000, "rescale intercept"),
    ],
)
def test_values_that_are_no_hu(warnings, low, high, meaning):
    assert warn_if_no_hu(volume(low, high), "k1")
    assert "case k1" in warnings.text and meaning in warnings.text
    assert f"from {low:g} to {high:g}" in warnings.text


def test_ct_is_silent(warnings):
    for low, high in ((-1024, 3071), (-2000, 1500), (-1000, 200), (-300, 240)):
        assert not warn_if_no_hu(volume(low, high), "k1")
    values = volume(-1000, 1000)
    values[0, 0, 0] = np.nan
    assert not warn_if_no_hu(values, "k1")
    assert not warn_if_no_hu(np.full((2, 2), np.nan), "k1")
    assert not warnings.records


def test_file_is_sampled(tmp_path, warnings):
    nib.save(nib.Nifti1Image(volume(0, 900).astype(np.int16), np.eye(4)), tmp_path / "mr.nii.gz")
    image = nib.Nifti1Image(volume(0, 900).astype(np.int16), np.eye(4))
    image.header.set_slope_inter(2, -1024)  # stored values are no HU, scaled ones are
    nib.save(image, tmp_path / "ct.nii")
    check_hu({"case_id": "mr", "image": str(tmp_path / "mr.nii.gz")})
    check_hu({"case_id": "ct", "image": str(tmp_path / "ct.nii")})
    assert [record.getMessage()[:8] for record in warnings.records] == ["case mr:"]


def test_series_is_sampled(tmp_path, warnings):
    pytest.importorskip("pydicom")
    from dicom_writer import ct, write_series

    write_series(tmp_path / "ct", ct())
    write_series(tmp_path / "mr", np.abs(ct()))
    (tmp_path / "mr" / "notes.txt").write_text("no DICOM")
    for name in ("ct", "mr"):
        check_hu({"case_id": name, "image": str(tmp_path / name)})
    assert [record.getMessage()[:8] for record in warnings.records] == ["case mr:"]


def test_unreadable_files_are_left_to_loading(tmp_path, warnings):
    (tmp_path / "bad.nii.gz").write_bytes(b"nothing")
    (tmp_path / "empty").mkdir()
    nib.save(nib.Nifti1Image(np.zeros((4, 4)), np.eye(4)), tmp_path / "flat.nii")
    for name in ("bad.nii.gz", "absent.nii", "empty", "flat.nii"):
        check_hu({"case_id": "k1", "image": str(tmp_path / name)})
    check_hu({"case_id": "k1"})
    assert not warnings.records


def test_handler_looks_at_some_of_many(tmp_path, warnings):
    nib.save(nib.Nifti1Image(volume(0, 900).astype(np.int16), np.eye(4)), tmp_path / "mr.nii")
    items = [{"case_id": f"k{n}", "image": str(tmp_path / "mr.nii")} for n in range(9)]
    engine = Engine(lambda engine, batch: None)
    HuPlausibility(items=items, most=3).attach(engine)
    engine.run([0], max_epochs=1)
    assert [record.getMessage()[:8] for record in warnings.records] == ["case k0:", "case k4:", "case k8:"]
    HuPlausibility(items=[]).look(engine)
    with pytest.raises(T3DError, match="most is 0"):
        HuPlausibility(items=items, most=0)
