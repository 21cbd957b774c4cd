"""Segmentations lie on the grid of the file they were made of, whatever its orientation and spacing."""

import json

import nibabel as nib
import numpy as np
import pytest
import torch
from bundle_runs import said
from dicom_writer import write_series
from monai.bundle import ConfigWorkflow
from segmentation_runs import BUNDLE, config_files, infer


def scan(file, few, affine, **change):
    """A case's voxels under another affine, so that orientation and size differ from the prepared ones."""
    item = json.loads((few / "datalist.json").read_text())["test"][0]
    voxels = np.asanyarray(nib.load(item["image"]).dataobj)[:, :29, :21].astype(change.pop("dtype", np.int16))
    for place, value in change.items():
        voxels[tuple(map(int, place.split("_")[1:]))] = value
    nib.save(nib.Nifti1Image(voxels, affine), file)


def oblique():
    turn, tilt = 0.3, 0.2
    about_z = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    affine = np.eye(4)
    affine[:3, :3] = about_z @ about_x @ np.diag([10.3, -11.7, 7.1])
    affine[:3, 3] = (-100.3, 57.1, 33.3)
    return affine


def swapped():
    affine = np.zeros((4, 4))
    affine[0, 2], affine[1, 0], affine[2, 1], affine[3, 3] = -9.1, 12.0, -5.7, 1
    return affine


def test_results_lie_on_the_input_grid_and_a_bad_case_does_not_stop_the_others(trained_segmentation, few, tmp_path):
    folder, out = tmp_path / "scans", tmp_path / "out"
    folder.mkdir()
    scan(folder / "oblique.1.nii.gz", few, oblique())
    scan(folder / "swapped.nii", few, swapped())
    scan(folder / "bad.nii.gz", few, swapped(), dtype=np.float32, at_1_2_3=np.nan)
    nib.save(nib.Nifti1Image(np.zeros((9, 9, 9, 2), np.int16), np.eye(4)), folder / "times.nii.gz")
    with pytest.raises(Exception) as caught:  # noqa: B017 - MONAI wraps it
        infer(folder, trained_segmentation, output_dir=str(out), save_probabilities=True)
    assert said(caught).startswith("2 of 4 cases failed")
    cases = json.loads((out / "cases.json").read_text())
    assert cases["done"] == ["oblique.1", "swapped"]
    assert {case["case_id"]: case["error"].partition(" where")[0].partition(";")[0] for case in cases["failed"]} == {
        "bad": "case bad: image has voxels that are NaN or infinite",
        "times": "image headers: case times: image times.nii.gz has 4 axes (9 x 9 x 9 x 2)",
    }
    assert sorted(path.name for path in out.glob("*.nii.gz")) == [
        "oblique.1_pred.nii.gz", "oblique.1_prob.nii.gz", "swapped_pred.nii.gz", "swapped_prob.nii.gz"
    ]  # fmt: skip
    for name in ("oblique.1.nii.gz", "swapped.nii"):
        image = nib.load(folder / name)
        stem = name.removesuffix(".gz").removesuffix(".nii")
        found, chances = nib.load(out / f"{stem}_pred.nii.gz"), nib.load(out / f"{stem}_prob.nii.gz")
        assert found.shape == image.shape and np.array_equal(found.affine, image.affine)
        assert chances.shape == (*image.shape, 9) and np.array_equal(chances.affine, image.affine)
        assert np.allclose(np.asarray(chances.dataobj).sum(axis=-1), 1, atol=1e-4)

    (folder / "bad.nii.gz").unlink()
    (folder / "times.nii.gz").unlink()
    with pytest.raises(Exception) as caught:  # noqa: B017 - MONAI wraps it
        infer(folder, trained_segmentation, output_dir=str(out))
    assert "already holds results of 2 of 2 cases" in said(caught)
    whole = (out / "swapped_pred.nii.gz").read_bytes()
    before = (out / "oblique.1_pred.nii.gz").stat().st_mtime_ns
    (out / "swapped_pred.nii.gz").write_bytes(whole[:-20])  # what a killed run leaves
    infer(folder, trained_segmentation, output_dir=str(out), skip_done=True, blend_on_cpu=True)
    assert json.loads((out / "cases.json").read_text())["skipped"] == ["oblique.1"]
    assert (out / "oblique.1_pred.nii.gz").stat().st_mtime_ns == before
    again = nib.load(out / "swapped_pred.nii.gz")
    assert np.asarray(again.dataobj).shape == nib.load(folder / "swapped.nii").shape


@pytest.mark.parametrize(("value", "kind"), [(7, np.uint8), (300, np.uint16)])
def test_a_prediction_returns_to_where_it_was_seen(tmp_path, value, kind):
    """The way back, without a network: the class map of the prepared image, inverted, is the image's own."""
    (tmp_path / "labels.json").write_text(json.dumps({"background": 0, "blob": [value, 5], "other": 1}))
    workflow = ConfigWorkflow(
        config_file=config_files("inference"), workflow_type="inference", logging_file=False, bundle_root=str(BUNDLE),
        spacing=[3.0, 3.0, 3.0], output_dir=str(tmp_path), labels_file=str(tmp_path / "labels.json"),
        feature_size=12, weights=str(tmp_path / "model.pt"),
    )  # fmt: skip
    workflow.initialize()
    torch.save(workflow.network_def.state_dict(), tmp_path / "model.pt")
    blob = np.full((40, 36, 30), -1000, np.int16)
    blob[8:20, 20:30, 5:18] = 500
    affine = np.diag([-3.0, 3.0, 4.0, 1.0])
    nib.save(nib.Nifti1Image(blob, affine), tmp_path / "blob.nii.gz")
    # MONAI Label's items have no case_id, and a string under image_path
    item = workflow.preprocessing({"image": str(tmp_path / "blob.nii.gz"), "image_path": str(tmp_path)})
    high = (item["image"] > 0.5).float()
    item["pred"] = torch.cat([1 - high, high, torch.zeros_like(high)])
    workflow.postprocessing(item)
    found = nib.load(tmp_path / "blob_pred.nii.gz")
    assert np.array_equal(found.affine, affine) and found.get_data_dtype() == kind
    voxels = np.asarray(found.dataobj)
    assert set(np.unique(voxels)) == {0, value}
    assert ((voxels == value) == (blob > 0)).mean() > 0.99


def test_a_dicom_series_is_segmented_on_its_own_grid(trained_segmentation, tmp_path):
    voxels = np.random.default_rng(0).integers(-900, 900, (28, 24, 10)).astype(np.int16)
    affine = write_series(tmp_path / "scans" / "series_a", voxels)
    infer(tmp_path / "scans", trained_segmentation, output_dir=str(tmp_path / "out"))
    found = nib.load(tmp_path / "out" / "series_a_pred.nii.gz")
    assert found.shape == voxels.shape
    assert np.allclose(found.affine, affine, atol=1e-5)
