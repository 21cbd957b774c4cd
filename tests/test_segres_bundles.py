"""The second backbone in all three bundles: pre-training, hand-over, fine-tuning, inference, Python and export."""

import json
import shutil

import classification_runs
import nibabel as nib
import numpy as np
import pretrain_runs
import pytest
import segmentation_runs
import stage_runs
import torch
from export_runs import export, infer
from monai.bundle import load
from monai.networks.nets import SegResNetDS
from safetensors.torch import load_file
from zip_runs import python_without_t3d

import t3d
from t3d.api.info import as_text, describe
from t3d.networks.segres_encoder import DEPTHS

SEGRES = {"backbone": "segres", "feature_size": 4}
BUNDLE = segmentation_runs.BUNDLE


def record_of(folder, name="model"):
    return json.loads((folder / "models" / f"{name}.json").read_text())


def state_of(folder):
    return torch.load(folder / "models" / "model.pt", weights_only=True)


@pytest.fixture(scope="module")
def encoder(cohort, tmp_path_factory):
    return stage_runs.pretrained(cohort, tmp_path_factory.mktemp("encoder"), **SEGRES)


@pytest.fixture(scope="module")
def segmentation(few, encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("segmentation")
    return stage_runs.segmented(few, encoder, folder, crop_size=48, **SEGRES)  # crops that only this backbone takes


@pytest.fixture(scope="module")
def classification(cohort, encoder, tmp_path_factory):
    return stage_runs.classified(cohort, encoder, tmp_path_factory.mktemp("classification"), **SEGRES)


def test_the_encoder_goes_whole_through_all_stages_and_every_record_names_it(encoder, segmentation, classification):
    handed = load_file(encoder / "models" / "encoder.safetensors")
    assert len(handed) > 50 and all(name.startswith("encoder.") for name in handed)
    for folder in (segmentation, classification):
        state = state_of(folder)
        assert all(torch.equal(state[name], tensor) for name, tensor in handed.items())
    expected = {
        "backbone": "segres",
        "feature_size": 4,
        "norm": "instance",
        "stem_stride": 1,
        "depths": list(DEPTHS[1]),
    }
    for record in (record_of(encoder, "encoder"), record_of(segmentation), record_of(classification)):
        assert record["network"].items() >= expected.items() and "window_size" not in record["network"]
    SegResNetDS(
        in_channels=1, out_channels=9, init_filters=4, blocks_down=DEPTHS[1], norm="instance"
    ).load_state_dict(state_of(segmentation))  # fmt: skip


def test_monai_loads_it_without_t3d_and_without_arguments(segmentation, classification, encoder, tmp_path):
    bundle = shutil.copytree(BUNDLE, tmp_path / "t3d_segmentation")
    shutil.copytree(segmentation / "models", bundle / "models", dirs_exist_ok=True)
    done = python_without_t3d(
        f"""
import torch
from monai.bundle import load
expected = torch.load({str(bundle / "models" / "model.pt")!r}, weights_only=True)
for kind in ("train", "inference"):
    found = load("t3d_segmentation", bundle_dir={str(tmp_path)!r}, workflow_type=kind)
    assert type(found).__name__ == "SegResNetDS"
    state = found.state_dict()
    assert state.keys() == expected.keys() and all(torch.equal(state[name], expected[name]) for name in state)
    image = torch.zeros(1, 1, 32, 32, 32)
    assert found.train()(image).shape == found.eval()(image).shape == (1, 9, 32, 32, 32)
""",
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    for runs, folder in ((classification_runs, classification), (pretrain_runs, encoder)):
        bundle = shutil.copytree(runs.BUNDLE, tmp_path / runs.BUNDLE.name)
        shutil.copytree(folder / "models", bundle / "models", dirs_exist_ok=True)
        found = load(
            bundle.name, bundle_dir=tmp_path, workflow_type="inference", args_file={"bundle_root": str(bundle)}
        )
        expected = state_of(folder)
        assert all(torch.equal(tensor, expected[name]) for name, tensor in found.state_dict().items())


def test_the_python_calls_say_what_inference_writes(segmentation, classification, encoder, cohort, few):
    item = json.loads((few / "datalist.json").read_text())["test"][0]
    wanted = np.asarray(nib.load(segmentation / "eval" / f"{item['case_id']}_pred.nii.gz").dataobj)
    found = t3d.segment(item["image"], segmentation / "models", device="cpu", overlap=0.25)
    assert np.array_equal(np.asarray(found.dataobj), wanted)
    wanted = json.loads((classification / "out" / "predictions.json").read_text())["cases"]
    wanted = next(case["scores"] for case in wanted if case["case_id"] == item["case_id"])
    found = t3d.classify(item["image"], classification / "models", device="cpu")
    assert {name: score.score for name, score in found.items()} == pytest.approx(wanted, abs=1e-6)
    wanted = load_file(encoder / "features" / f"{item['case_id']}.safetensors")
    embedded = t3d.embed(item["image"], encoder / "models", device="cpu")
    assert np.allclose(embedded.map, wanted["map"], atol=1e-5) and embedded.map.shape[0] == 64
    assert np.allclose(embedded.affine, wanted["map_affine"], atol=1e-6)
    steps = np.linalg.norm(embedded.affine[:3, :3], axis=0)
    assert np.allclose(steps, 16 * 12), "a token covers 16 voxels of 12 mm"
    for folder in (segmentation, classification, encoder):
        facts = describe(folder / "models")
        assert facts["network"]["backbone"] == "segres" and "a segres encoder, feature_size 4" in as_text(facts)


@pytest.mark.parametrize("task", ["segmentation", "classification", "pretrain"])
def test_an_export_does_what_the_network_does(task, segmentation, classification, encoder, few, cohort, tmp_path):
    pytest.importorskip("onnxscript")
    runs, folder = {
        "segmentation": (segmentation_runs.RUNS, segmentation),
        "classification": (classification_runs.RUNS, classification),
        "pretrain": (pretrain_runs.RUNS, encoder),
    }[task]
    record = export(runs, folder, tmp_path / "export")
    assert record["network"]["backbone"] == "segres" and record["network"]["norm"] == "instance"
    assert all(
        found["max_difference"] <= 1e-4 * max(1, found["largest_value"])
        for checks in record["check"]["files"].values()
        for found in checks
    )
    if task == "segmentation":
        assert record["signatures"]["model"]["inputs"] == {"image": ["batch", 1, 48, 48, 48]}
        options = {"onnx_file": str(tmp_path / "export" / "model.onnx"), "output_dir": str(tmp_path / "out")}
        infer(runs, few, tmp_path / "nothing", overlap=0.25, **options)
        for path in (tmp_path / "out").glob("*_pred.nii.gz"):
            one, other = (np.asarray(nib.load(file).dataobj) for file in (path, segmentation / "eval" / path.name))
            assert (one == other).mean() >= 0.999
        assert len(list((tmp_path / "out").glob("*_pred.nii.gz"))) == 2


def test_an_encoder_of_the_other_backbone_is_one_sentence(encoder, few, cohort, tmp_path):
    weights = {"encoder_weights": str(encoder / "models" / "encoder.pt")}
    said = "holds a segres encoder, but this network has a swin one"
    assert said in segmentation_runs.fault(segmentation_runs.NAMES, few, tmp_path, **weights)
    assert said in classification_runs.fault(classification_runs.NAMES, cohort, tmp_path, **weights)
    assert said in pretrain_runs.RUNS.fault(("train", "demo"), cohort, tmp_path, **weights)
    assert not (tmp_path / "models").exists()


def test_pre_training_starts_from_an_encoder(encoder, cohort, tmp_path, caplog):
    weights = str(encoder / "models" / "encoder.safetensors")
    options = {**SEGRES, "encoder_weights": weights, "max_epochs": 1, "steps_per_epoch": 1, "learning_rate": 1e-12}
    with caplog.at_level("INFO"):
        pretrain_runs.run(("train", "demo", "vision_only"), cohort, tmp_path, val_interval=9, **options)
    assert "encoder tensors from" in caplog.text
    handed, kept = load_file(weights), load_file(tmp_path / "models" / "encoder.safetensors")
    assert all(torch.allclose(kept[name], tensor, atol=1e-6) for name, tensor in handed.items())
    recipe = record_of(tmp_path, "encoder")["recipe"]
    assert recipe["encoder_weights"].startswith("sha256:") and recipe["backbone"] == "segres"
    said = pretrain_runs.RUNS.fault(
        ("train", "demo", "vision_only"), cohort, tmp_path / "other", hu_range=[-200, 300], **options
    )
    assert "hu_range [-1000, 1000] there, [-200, 300] here" in said
