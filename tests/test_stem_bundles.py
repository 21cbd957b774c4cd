"""SegRes with a stem in all three bundles: the option is given to trainings, and all that follows reads the record."""

import json

import classification_runs
import nibabel as nib
import numpy as np
import pretrain_runs
import pytest
import segmentation_runs
import stage_runs
import torch
from export_runs import export
from safetensors.torch import load_file

import t3d
from t3d.api.info import as_text, describe
from t3d.errors import T3DError
from t3d.networks.segres_encoder import DEPTHS, FoldedSegResNet
from t3d.study.encoder import load_pooled

STEM = {"backbone": "segres", "feature_size": 8, "stem_stride": 4}


@pytest.fixture(scope="module")
def encoder(cohort, tmp_path_factory):
    return stage_runs.pretrained(cohort, tmp_path_factory.mktemp("encoder"), **STEM)


@pytest.fixture(scope="module")
def segmentation(few, encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("segmentation")
    return stage_runs.segmented(few, encoder, folder, crop_size=32, **STEM)


@pytest.fixture(scope="module")
def classification(cohort, encoder, tmp_path_factory):
    return stage_runs.classified(cohort, encoder, tmp_path_factory.mktemp("classification"), **STEM)


def test_the_encoder_goes_through_all_stages_and_every_record_names_its_stem(encoder, segmentation, classification):
    handed = load_file(encoder / "models" / "encoder.safetensors")
    assert handed["encoder.conv_init.weight"].shape == (8, 64, 3, 3, 3)
    for folder, name in ((encoder, "encoder"), (segmentation, "model"), (classification, "model")):
        state = torch.load(folder / "models" / "model.pt", weights_only=True)
        assert all(torch.equal(state[key], tensor) for key, tensor in handed.items())
        recorded = json.loads((folder / "models" / f"{name}.json").read_text())["network"]
        assert recorded.items() >= {**STEM, "in_channels": 1, "depths": list(DEPTHS[4])}.items()
        assert "a segres encoder, feature_size 8, stem_stride 4" in as_text(describe(folder / "models"))
    assert isinstance(t3d.load(segmentation / "models", device="cpu").network, FoldedSegResNet)


def test_the_python_calls_say_what_inference_writes(encoder, segmentation, classification, cohort, few):
    item = json.loads((few / "datalist.json").read_text())["test"][0]
    wanted = np.asarray(nib.load(segmentation / "eval" / f"{item['case_id']}_pred.nii.gz").dataobj)
    found = t3d.segment(item["image"], segmentation / "models", device="cpu", overlap=0.25)
    assert np.array_equal(np.asarray(found.dataobj), wanted)
    cases = json.loads((classification / "out" / "predictions.json").read_text())["cases"]
    scores = next(case["scores"] for case in cases if case["case_id"] == item["case_id"])
    found = t3d.classify(item["image"], classification / "models", device="cpu")
    assert {name: score.score for name, score in found.items()} == pytest.approx(scores, abs=1e-6)
    wanted = load_file(encoder / "features" / f"{item['case_id']}.safetensors")["map"]
    found = t3d.embed(item["image"], encoder / "models", device="cpu").map
    channels = describe(encoder / "models")["gives"]["channels"]
    assert np.allclose(found, wanted, atol=1e-5) and found.shape[0] == channels == 32


@pytest.mark.parametrize("task", ["segmentation", "classification", "pretrain"])
def test_an_export_does_what_the_network_does(task, request, tmp_path):
    pytest.importorskip("onnxscript")
    runs = {"segmentation": segmentation_runs, "classification": classification_runs, "pretrain": pretrain_runs}[task]
    folder = request.getfixturevalue("encoder" if task == "pretrain" else task)
    record = export(runs.RUNS, folder, tmp_path)
    assert record["network"].items() >= STEM.items()
    assert all(
        found["max_difference"] <= 1e-4 * max(1, found["largest_value"])
        for checks in record["check"]["files"].values()
        for found in checks
    )


def test_a_study_reads_it(encoder):
    pooled, _ = load_pooled(encoder / "models" / "encoder.safetensors", strides=(4, 16), device=torch.device("cpu"))
    assert pooled.get_submodule("encoder").stem_stride == 4
    with pytest.raises(T3DError, match=r"no tokens of 2 .*\(4, 8, 16\)"):
        load_pooled(encoder / "models" / "encoder.safetensors", strides=(2,), device=torch.device("cpu"))


def test_an_encoder_of_another_stem_is_one_sentence(encoder, few, cohort, tmp_path):
    weights = {"encoder_weights": str(encoder / "models" / "encoder.pt"), "backbone": "segres", "feature_size": 8}
    said = "stem_stride is 4 there and 1 here"
    assert said in segmentation_runs.fault(segmentation_runs.NAMES, few, tmp_path, **weights)
    assert said in classification_runs.fault(classification_runs.NAMES, cohort, tmp_path, **weights)
    assert said in pretrain_runs.RUNS.fault(("train", "demo"), cohort, tmp_path, **weights)
    said = segmentation_runs.fault(segmentation_runs.NAMES, few, tmp_path, backbone="segres", stem_stride=3)
    assert "--stem_stride is 3; give 1, 2 or 4 voxels a side" in said
    said = segmentation_runs.fault(segmentation_runs.NAMES, few, tmp_path, **{**STEM, "crop_size": 40})
    assert "multiples of 16 and at least 32" in said
    narrow = {**STEM, "feature_size": 4}
    said = pretrain_runs.RUNS.fault(("train", "demo"), cohort, tmp_path, **narrow)
    assert "a map of 16 channels cannot be decoded from stride 16" in said
    assert not (tmp_path / "models").exists()
