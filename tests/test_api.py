"""One Python call per task gives what the bundles' inference writes, for every way a CT can be given."""

import json
import shutil
import subprocess
import sys
import zipfile

import classification_runs
import nibabel as nib
import numpy as np
import pretrain_runs
import pytest
import segmentation_runs
import torch
from bundle_runs import environment
from monai.networks.nets import SwinUNETR
from safetensors.numpy import load_file

import t3d
from t3d.api.info import describe
from t3d.cli import main
from t3d.errors import T3DError


@pytest.fixture(scope="module")
def encoder(cohort, tmp_path_factory):
    """A tiny pre-training: the folder with models."""
    folder = tmp_path_factory.mktemp("encoder")
    pretrain_runs.run(("train", "demo"), cohort, folder, val_interval=9)
    return folder


@pytest.fixture(scope="module")
def oblique(cohort, tmp_path_factory):
    """A test CT turned to LPS and tilted a little: the folder with it, and its path."""
    item = json.loads((cohort / "datalist.json").read_text())["test"][0]
    image = nib.as_closest_canonical(nib.load(cohort / item["image"]))
    angle = np.deg2rad(7)
    tilt = np.array([[1, 0, 0, 3], [0, np.cos(angle), -np.sin(angle), 5], [0, np.sin(angle), np.cos(angle), 7]])
    affine = np.vstack([tilt, [0, 0, 0, 1]]) @ image.affine @ np.diag([-1, -1, 1, 1])
    folder = tmp_path_factory.mktemp("oblique")
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), affine), folder / "tilted.nii.gz")
    return folder, folder / "tilted.nii.gz"


def forms(path):
    image = nib.load(path)
    return [path, str(path), image, (np.asarray(image.dataobj), image.affine)]


def test_segment_equals_inference(trained_segmentation, oblique, tmp_path):
    folder, path = oblique
    segmentation_runs.infer(folder, trained_segmentation, output_dir=str(tmp_path / "out"), overlap=0.25)
    written = nib.load(tmp_path / "out" / "tilted_pred.nii.gz")
    model = t3d.load(trained_segmentation / "models", device="cpu")
    assert isinstance(model.network, SwinUNETR) and list(model.labels)[0] == "background"
    for ct in forms(path):
        found = t3d.segment(ct, model, overlap=0.25)
        assert found.get_data_dtype() == np.uint8
        np.testing.assert_array_equal(np.asarray(found.dataobj), np.asarray(written.dataobj))
        np.testing.assert_allclose(found.affine, nib.load(path).affine, atol=1e-5)
        assert found.header.get_xyzt_units()[0] == "mm" and int(found.header["sform_code"]) == 1


def test_classify_equals_inference(trained_classification, cohort):
    written = json.loads((trained_classification / "out" / "predictions.json").read_text())
    case = written["cases"][0]
    items = json.loads((cohort / "datalist.json").read_text())["test"]
    image = next(cohort / item["image"] for item in items if item["case_id"] == case["case_id"])
    for ct in forms(image):
        found = t3d.classify(ct, trained_classification / "models", device="cpu")
        assert {name: score.score for name, score in found.items()} == pytest.approx(case["scores"], abs=1e-6)
        assert {name: int(score.positive) for name, score in found.items()} == case["positive"]


def test_embed_equals_inference(encoder, oblique, tmp_path):
    folder, path = oblique
    pretrain_runs.infer(folder, encoder, output_dir=str(tmp_path / "out"), save_map=True, scales=[8, 32])
    written = load_file(tmp_path / "out" / "tilted.safetensors")
    for ct in forms(path):
        found = t3d.embed(ct, encoder / "models", device="cpu")
        np.testing.assert_allclose(found.vector, written["embedding"], atol=1e-6)
        np.testing.assert_allclose(found.features, written["features"], atol=1e-5)
        np.testing.assert_allclose(found.map, written["map"], atol=1e-5)
        np.testing.assert_allclose(found.affine, written["map_affine"], atol=1e-6)
        assert found.scales == {}
    scales = t3d.embed(path, encoder / "models", device="cpu", scales=(8, 32)).scales
    for stride, scale in scales.items():
        np.testing.assert_allclose(scale.features, written[f"features_{stride}"], atol=1e-5)
        np.testing.assert_allclose(scale.map, written[f"map_{stride}"], atol=1e-5)
        np.testing.assert_allclose(scale.affine, written[f"map_affine_{stride}"], atol=1e-6)
    assert scales[8].map.shape[1] == 4 * scales[32].map.shape[1]
    assert np.linalg.norm(found.vector) == pytest.approx(1, abs=1e-5)


def test_a_bundle_and_its_zip_are_models_too(trained_segmentation, oblique, tmp_path):
    bundle = tmp_path / "t3d_segmentation"
    shutil.copytree(trained_segmentation / "models", bundle / "models")
    archive = tmp_path / "t3d_segmentation.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in (bundle / "models").iterdir():
            file.write(path, f"t3d_segmentation/models/{path.name}")
        file.writestr("t3d_segmentation/models/../../evil", "x")
    expected = np.asarray(t3d.segment(oblique[1], trained_segmentation / "models", device="cpu").dataobj)
    for model in (bundle, archive):
        np.testing.assert_array_equal(np.asarray(t3d.segment(oblique[1], model, device="cpu").dataobj), expected)
    assert not (tmp_path.parent / "evil").exists()
    assert describe(archive) == describe(bundle)


@pytest.mark.parametrize(
    ("ct", "said"),
    [
        (3, "a int is no CT"),
        ((np.zeros((4, 4)), np.eye(4)), "2"),
        ((np.full((40, 40, 40), np.nan), np.eye(4)), "NaN"),
        ((np.zeros((40, 40, 40)), np.zeros((4, 4))), "affine"),
        ("nowhere.nii.gz", "nowhere.nii.gz"),
    ],
)
def test_what_is_no_ct_is_said(trained_segmentation, ct, said):
    with pytest.raises(T3DError, match=said):
        t3d.segment(ct, trained_segmentation / "models", device="cpu")


def test_a_model_of_another_task_and_none_at_all_are_said(trained_segmentation, trained_classification, tmp_path):
    with pytest.raises(T3DError, match=r"model of kind segmentation: use t3d\.segment"):
        t3d.classify("x.nii.gz", trained_segmentation / "models", device="cpu")
    with pytest.raises(T3DError, match=r"use t3d\.classify"):
        t3d.embed("x.nii.gz", trained_classification / "models", device="cpu")
    with pytest.raises(T3DError, match="holds no trained model"):
        t3d.segment("x.nii.gz", tmp_path, device="cpu")


def test_damaged_weights_are_refused(trained_segmentation, oblique, tmp_path):
    models = shutil.copytree(trained_segmentation / "models", tmp_path / "models")
    state = torch.load(models / "model.pt", weights_only=True)
    torch.save(dict(list(state.items())[1:]), models / "model.pt")
    with pytest.raises(T3DError):
        t3d.segment(oblique[1], models, device="cpu")


def test_weights_of_another_training_are_refused_though_they_fit(trained_segmentation, oblique, tmp_path):
    models = shutil.copytree(trained_segmentation / "models", tmp_path / "models")
    state = torch.load(models / "model.pt", weights_only=True)
    torch.save({name: tensor * 2 if tensor.is_floating_point() else tensor for name, tensor in state.items()},
               models / "model.pt")  # fmt: skip
    with pytest.raises(T3DError, match=r"is not the file that model\.json describes"):
        t3d.segment(oblique[1], models, device="cpu")


@pytest.mark.parametrize("task", ["segmentation", "classification", "encoder"])
def test_info_says_what_a_model_takes_and_gives(task, trained_segmentation, trained_classification, encoder, capsys):
    folder = {"segmentation": trained_segmentation, "classification": trained_classification, "encoder": encoder}[task]
    main(["info", str(folder / "models"), "--json"])
    facts = json.loads(capsys.readouterr().out)
    assert facts["kind"] == task and facts["takes"]["spacing"] == [12.0] * 3
    assert {"segmentation": "labels", "classification": "findings", "encoder": "embedding"}[task] in facts["gives"]
    main(["info", str(folder / "models")])
    assert capsys.readouterr().out.startswith(f"{task}, for t3d.")


def test_info_is_a_command_whose_output_is_json_alone(encoder, tmp_path):
    line = [sys.executable, "-m", "t3d", "info", str(encoder / "models"), "--json"]
    done = subprocess.run(line, cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["kind"] == "encoder"


def test_importing_t3d_is_cheap():
    code = "import sys, t3d; assert 'torch' not in sys.modules and 'monai' not in sys.modules; t3d.nothing"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True)
    assert "has no attribute 'nothing'" in done.stderr
    assert classification_runs.BUNDLE.is_dir()
