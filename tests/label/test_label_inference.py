"""A served bundle says of a study what its own inference.json says."""

import nibabel as nib
import numpy as np
import pytest
import t3d_absent
from classification_runs import TINY
from own_inference import agreement, own_label_map, own_scores, served_label_map

import t3d

ORGANS = {"lungs": 1, "heart": 2, "aorta": 3, "liver": 4, "spleen": 5, "kidneys": 6, "spine": 7, "stomach": 8}


def test_the_environment_has_no_t3d_but_the_bundles_copies():
    assert t3d_absent.found() == "None"


def test_info_lists_both_bundles(server):
    models = server.info()["models"]
    assert models["t3d_segmentation"]["type"] == "segmentation"
    assert models["t3d_segmentation"]["labels"] == ORGANS
    assert models["t3d_classification"]["type"] == "classification"
    assert models["t3d_classification"]["labels"] == {name: place for place, name in enumerate(TINY["findings"])}
    assert {model["version"] for model in models.values()} == {t3d.__version__}
    # what a client may choose first is what is served
    assert all(model["config"]["model_filename"] == ["model.pt"] for model in models.values())
    assert set(server.info()["trainers"]) == set(models)
    # 3D Slicer numbers segments in this order: the organs must come first
    assert server.info()["labels"] == [*ORGANS, *TINY["findings"]]


def test_a_phantom_gets_the_label_map_of_the_bundle(server, app, studies, tmp_path):
    status, answer = server.infer("t3d_segmentation", "p0")
    assert status == 200, answer
    served = served_label_map(answer, tmp_path)
    assert answer["params"]["label_names"] == ORGANS
    assert agreement(served, nib.load(studies / "p0.nii.gz")) < 1  # the grid is the study's
    assert agreement(served, own_label_map(app, studies / "p0.nii.gz", tmp_path / "own")) >= 0.999
    assert set(np.unique(served.dataobj)) <= set(range(9)) and len(np.unique(served.dataobj)) > 1


def test_the_ohif_viewer_gets_the_same_voxels(server, tmp_path):
    import nrrd  # comes with MONAI Label; elsewhere this module is skipped

    as_seen = {"result_extension": ".nrrd", "result_dtype": "uint8", "result_compress": False,
               "restore_label_idx": False}  # fmt: skip
    status, answer = server.infer("t3d_segmentation", "p0", as_seen)
    assert status == 200, answer
    (tmp_path / "served.nrrd").write_bytes(answer["image"])
    voxels, header = nrrd.read(str(tmp_path / "served.nrrd"))
    plain = served_label_map(server.infer("t3d_segmentation", "p0")[1], tmp_path)
    assert voxels.dtype == np.uint8 and np.array_equal(voxels, np.asarray(plain.dataobj))
    to_ras = np.diag([-1.0, -1.0, 1.0])  # NRRD holds LPS, one row for each axis
    assert header["space"] == "left-posterior-superior"
    assert np.allclose(to_ras @ header["space directions"].T, plain.affine[:3, :3], atol=1e-4)
    assert np.allclose(to_ras @ header["space origin"], plain.affine[:3, 3], atol=1e-3)


@pytest.mark.parametrize("name", ["totalseg_torso_3mm/ct.nii.gz", "totalseg_thoracic_aorta_1p5mm/ct.nii.gz"])
def test_a_real_ct_gets_the_label_map_of_the_bundle(name, server, app, shared_data, tmp_path):
    image = shared_data / name
    status, answer = server.infer("t3d_segmentation", str(image))
    assert status == 200, answer
    served = served_label_map(answer, tmp_path)
    assert agreement(served, nib.load(image)) < 1
    assert agreement(served, own_label_map(app, image, tmp_path / "own")) >= 0.999


def test_findings_are_those_of_the_bundle(server, app, studies, tmp_path):
    status, answer = server.infer("t3d_classification", "p1", output="json")
    assert status == 200, answer
    served = {entry["label"]: entry["score"] for entry in answer["prediction"]}
    own = own_scores(app, studies / "p1.nii.gz", tmp_path)
    assert list(served) == list(own)
    assert all(served[name] == pytest.approx(own[name], abs=1e-5) for name in own)


def test_a_batch_labels_all_studies(server, app, studies, tmp_path):
    state = server.run_task("/batch/infer/t3d_segmentation", {"device": "cpu", "multi_gpu": False, "max_workers": 1})
    assert state["status"] == "DONE", state
    written = sorted((server.studies / "labels" / "original").glob("*.nii.gz"))
    assert [file.name for file in written] == [f"p{number}.nii.gz" for number in range(5)]
    own = own_label_map(app, studies / "p3.nii.gz", tmp_path)
    assert agreement(nib.load(written[3]), own) >= 0.999
