"""DICOM folders named by `t3d cohort csv`, taken by the check, the store, all trainings and their inference."""

import json

import classification_runs
import nibabel as nib
import numpy as np
import pretrain_runs
import pytest
import segmentation_runs

pytest.importorskip("pydicom")
from dicom_cohort import write_dicom_cohort  # noqa: E402

from t3d.check.cohort import check_cohort  # noqa: E402
from t3d.prepare.cohort import prepare_cohort  # noqa: E402
from t3d.volume.image_file import read_header  # noqa: E402


@pytest.fixture(scope="module")
def scans(cohort, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scans of the hospital")
    return write_dicom_cohort(cohort, folder, counts={"training": 4, "validation": 2, "test": 2})


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Commands are given in a folder that has nothing to do with the data."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")


def listed(folder, split):
    return json.loads((folder / "datalist.json").read_text())[split]


def test_check_and_the_store_take_them(scans, tmp_path):
    checked = check_cohort(scans / "datalist.json", fast=False)
    assert checked.faults == [] and checked.counts == {"training": 4, "validation": 2, "test": 2}
    outcome = prepare_cohort(scans / "datalist.json", tmp_path / "store", spacing=(12, 12, 12))
    assert outcome.failed == {} and len(outcome.prepared) == 8


def test_the_volumes_are_those_of_the_phantoms(scans, cohort):
    for item, twin in zip(listed(scans, "test"), listed(cohort, "test"), strict=False):
        image = nib.as_closest_canonical(read_header(scans / item["image"]).image)
        other = nib.as_closest_canonical(nib.load(cohort / twin["image"]))
        np.testing.assert_allclose(image.affine, other.affine, atol=1e-3)
        np.testing.assert_array_equal(np.asarray(image.dataobj), np.asarray(other.dataobj) // 2 * 2)


def test_pretraining(scans, tmp_path):
    pretrain_runs.run(("train", "demo"), scans, tmp_path, max_epochs=1)
    assert (tmp_path / "models" / "encoder.safetensors").is_file()
    pretrain_runs.infer(scans, tmp_path, output_dir=str(tmp_path / "listed"))
    pretrain_runs.infer(scans / "scans", tmp_path, output_dir=str(tmp_path / "found"))
    for folder, count in (("listed", 2), ("found", 8)):
        assert len(list((tmp_path / folder).rglob("*.safetensors"))) == count


def test_segmentation(scans, tmp_path):
    segmentation_runs.run(segmentation_runs.NAMES, scans, tmp_path, max_epochs=1)
    segmentation_runs.run((*segmentation_runs.NAMES, "evaluate"), scans, tmp_path)
    segmentation_runs.infer(scans, tmp_path, output_dir=str(tmp_path / "out"))
    for item in listed(scans, "test"):
        (file,) = (tmp_path / "out").rglob(f"{item['case_id']}*.nii.gz")
        header = read_header(scans / item["image"])
        np.testing.assert_allclose(nib.load(file).affine, header.affine, atol=1e-3)
        assert nib.load(file).shape == tuple(header.shape[:3])


def test_classification(scans, tmp_path):
    options = {"findings": list(listed(scans, "training")[0]["findings"])[:1]}
    classification_runs.run(classification_runs.NAMES, scans, tmp_path, max_epochs=1, **options)
    classification_runs.infer(scans, tmp_path, output_dir=str(tmp_path / "out"))
    scored = json.loads(next((tmp_path / "out").rglob("predictions.json")).read_text())
    assert [case["case_id"] for case in scored["cases"]] == [item["case_id"] for item in listed(scans, "test")]
