"""Segmentations of a prepared cohort lie on the grid of the original files."""

import json
import shutil

import nibabel as nib
import numpy as np
import pytest
import segmentation_runs

pytest.importorskip("blosc2")
from bundle_runs import said  # noqa: E402
from prepared_cohort import prepare_small  # noqa: E402

from t3d.data.datalist import load_datalist  # noqa: E402
from t3d.errors import T3DError  # noqa: E402
from t3d.prepare.cohort import prepare_cohort  # noqa: E402
from t3d.prepare.originals import original_files  # noqa: E402


@pytest.fixture
def folders(cohort, tmp_path):
    return prepare_small(cohort, tmp_path, spacing=(12.0, 12.0, 12.0), counts=(1, 1, 2))


def items_of(folder):
    return load_datalist(folder / "datalist.json", "test", need_report=False)


def test_originals_are_the_files_of_the_raw_list(folders):
    raw, prepared = folders
    expected, found = items_of(raw), original_files(items_of(prepared), prepared / "datalist.json")
    for one, other in zip(expected, found, strict=True):
        assert one == other
    assert original_files(expected, raw / "datalist.json") == expected


def test_missing_and_changed_originals_are_named(cohort, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    case = json.loads((cohort / "datalist.json").read_text())["test"][0]
    for key in ("image", "label"):
        shutil.copy(cohort / case[key], own / f"{key}.nii.gz")
    (own / "datalist.json").write_text(
        json.dumps({"test": [{**case, "image": "image.nii.gz", "label": "label.nii.gz"}]})
    )
    prepare_cohort(own / "datalist.json", tmp_path / "store", spacing=(12.0, 12.0, 12.0))
    listed, where = items_of(tmp_path / "store"), tmp_path / "store" / "datalist.json"
    image = nib.load(own / "image.nii.gz")
    voxels = np.asarray(image.dataobj).copy()
    voxels[0, 0, 0] += 1
    nib.save(nib.Nifti1Image(voxels, image.affine), own / "image.nii.gz")
    with pytest.raises(T3DError, match=f"{case['case_id']}: its original image .* changed since"):
        original_files(listed, where)
    (own / "image.nii.gz").unlink()
    with pytest.raises(T3DError, match=f"{case['case_id']}: its original image .* is not there"):
        original_files(listed, where)
    (tmp_path / "store" / "volumes" / f"{case['case_id']}.json").unlink()
    with pytest.raises(T3DError, match=f"{case['case_id']}: its record is missing"):
        original_files(listed, where)
    (tmp_path / "store" / "prepared.json").unlink()
    with pytest.raises(T3DError, match="prepared.json does not exist; put it back, or use the raw datalist"):
        original_files(listed, where)


def test_inference_and_evaluation_equal_those_of_the_raw_list(folders, trained_segmentation, tmp_path):
    models = str(trained_segmentation / "models")
    for folder in folders:
        segmentation_runs.infer(folder, tmp_path / "infer" / folder.name, ckpt_dir=models)
        segmentation_runs.run(
            ("train", "demo", "evaluate"), folder, tmp_path / "evaluate" / folder.name, ckpt_dir=models
        )
    for what in ("infer", "evaluate"):
        raw, prepared = (
            {file.name: nib.load(file) for file in (tmp_path / what / folder.name / "eval").glob("*_pred.nii.gz")}
            for folder in folders
        )
        assert raw.keys() == prepared.keys() and len(raw) == 2
        for name in raw:
            assert np.array_equal(raw[name].affine, prepared[name].affine)
            assert np.array_equal(np.asarray(raw[name].dataobj), np.asarray(prepared[name].dataobj))
    metrics = [
        json.loads((tmp_path / "evaluate" / folder.name / "eval" / "metrics.json").read_text()) for folder in folders
    ]
    assert metrics[0]["per_case"] == metrics[1]["per_case"]


def test_an_original_that_is_gone_stops_inference_before_it_starts(cohort, folders, trained_segmentation, tmp_path):
    _, prepared = folders
    for file in (prepared / "volumes").glob("*.json"):
        content = json.loads(file.read_text())
        content["sources"]["image"]["path"] = "moved/away.nii.gz"
        file.write_text(json.dumps(content))
    with pytest.raises(Exception) as caught:  # noqa: B017, PT011 - MONAI's parser wraps it
        segmentation_runs.infer(prepared, tmp_path / "out", ckpt_dir=str(trained_segmentation / "models"))
    assert "its original image" in said(caught) and "--datalist_file" in said(caught)
