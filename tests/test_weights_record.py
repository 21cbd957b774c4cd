"""One format for encoder.json, model.json and export.json; what t3d 0.1 wrote is still read."""

import json

import pytest
import torch

from t3d.errors import T3DError
from t3d.export.record import read_export
from t3d.weights.encoder_record import recorded_settings, verified_record
from t3d.weights.model_record import recorded_model
from t3d.weights.record import (
    ENCODER,
    EXPORT,
    KINDS,
    MODEL,
    describes,
    new_record,
    read_record,
    recorded_amp_dtype,
    same_value,
    settings_of,
)

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # SHA-256 of b"abc"
PREPROCESSING = {"spacing": [12.0, 12.0, 12.0], "orientation": "RAS", "hu_range": [-1000, 1000], "crop_size": 32}
# what t3d 0.1.0 wrote, word for word but for the checksums and the length of `recipe`
ENCODER_0_1 = {
    "format_version": 1, "t3d": "0.1.0", "monai": "1.6.1", "torch": "2.11.0+cpu",
    "files": {"encoder.pt": ABC, "encoder.safetensors": ABC}, "tensors": 127, "parameters": 508842,
    "text": {
        "text_encoder": "StanfordAIMI/RadBERT", "text_revision": None, "max_tokens": 512,
        "sections": ["findings", "impression"], "drop_comparisons": False, "report_cache": True,
        "trained_text_layers": 0,
    },
    "recipe": {"temperature": 0.1, "seed": 0},
    "network": {
        "feature_size": 12, "in_channels": 1, "patch_size": 2, "window_size": 7, "depths": [2, 2, 2, 2],
        "num_heads": [3, 6, 12, 24], "embedding_width": 256, "use_text": True, "candidates": "image",
        "use_alignment": False, "text_width": 768,
    },
    "preprocessing": PREPROCESSING,
}  # fmt: skip
SEGMENTATION_0_1 = {
    "format_version": 1, "t3d": "0.1.0", "monai": "1.6.1", "torch": "2.11.0+cpu",
    "files": {"model.pt": ABC, "model_last.pt": ABC}, "model": "best", "epochs": 2,
    "best": {"value": 0.5, "epoch": 2}, "network": {"feature_size": 12, "window_size": 7},
    "preprocessing": PREPROCESSING, "labels": {"background": 0, "liver": 6}, "encoder_weights": None,
    "recipe": {"max_epochs": 2, "seed": 0},
}  # fmt: skip
CLASSIFICATION_0_1 = {
    **{key: value for key, value in SEGMENTATION_0_1.items() if key not in ("labels", "encoder_weights")},
    "network": {"feature_size": 12, "window_size": 7, "overlap": 0.25, "body_level": 0.2, "attention_width": 128},
    "findings": ["lung_nodule", "gallstone"],
}
EXPORT_0_1 = {
    "format_version": 1, "bundle": "t3d_classification", "files": {"model.onnx": ABC, "head.onnx": ABC},
    "weights": {"model.pt": ABC},
    "signatures": {"model": {"inputs": {"image": ["batch", 1, 32, 32, 32]}, "outputs": ["features"]}},
    "network": CLASSIFICATION_0_1["network"], "preprocessing": PREPROCESSING,
    "findings": ["lung_nodule", "gallstone"], "thresholds": {"lung_nodule": {"threshold": 0.5}}, "opset": 20,
    "versions": {"t3d": "0.1.0", "monai": "1.6.1", "torch": "2.11.0+cpu", "python": "3.11.9"},
    "check": {"tolerance": 0.001, "on_a_ct": False, "files": {}},
}  # fmt: skip


def write(path, content):
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("content", "kinds", "kind"),
    [
        (ENCODER_0_1, ENCODER, "encoder"),
        (SEGMENTATION_0_1, MODEL, "segmentation"),
        (CLASSIFICATION_0_1, MODEL, "classification"),
        (EXPORT_0_1, EXPORT, "export"),
    ],
)
def test_a_record_of_0_1_is_read_in_the_form_of_today(tmp_path, content, kinds, kind):
    path = write(tmp_path / "record.json", content)
    found = read_record(path, kinds=kinds)
    assert (found["format"], found["format_version"], found["kind"]) == ("t3d", 2, kind)
    assert {key: found[key] for key in content if key != "format_version"} == {
        key: value for key, value in content.items() if key != "format_version"
    }
    assert read_record(write(path, found), kinds=kinds) == found


def test_settings_of_the_records_of_0_1(tmp_path):
    write(tmp_path / "encoder.json", ENCODER_0_1)
    expected = {**ENCODER_0_1["network"], **PREPROCESSING, **ENCODER_0_1["text"], "temperature": 0.1}
    assert recorded_settings(tmp_path) == expected
    write(tmp_path / "model.json", SEGMENTATION_0_1)
    assert recorded_model(tmp_path) == {
        "feature_size": 12, "window_size": 7, **PREPROCESSING, "labels": {"background": 0, "liver": 6},
    }  # fmt: skip
    (tmp_path / "model.onnx").write_bytes(b"abc")
    write(tmp_path / "export.json", EXPORT_0_1)
    assert read_export(tmp_path / "model.onnx")["findings"] == ["lung_nodule", "gallstone"]
    for name in ("encoder.pt", "other.pt"):
        (tmp_path / name).write_bytes(b"abc")
    assert verified_record(tmp_path / "encoder.pt")["tensors"] == 127
    assert verified_record(tmp_path / "other.pt") is None


def test_a_new_record_holds_what_it_is_given_and_is_read_again(tmp_path):
    given = {"network": {"feature_size": 12}, "preprocessing": PREPROCESSING, "labels": {"liver": 1}, "epochs": 3}
    made = new_record("segmentation", files={"model.pt": ABC}, record=given)
    assert list(made)[:3] == ["format", "format_version", "kind"] and {**made, **given} == made
    assert made["files"] == {"model.pt": ABC} and {"t3d", "monai", "torch"} <= set(made)
    assert read_record(write(tmp_path / "model.json", made), kinds=MODEL) == made
    with pytest.raises(ValueError, match="kind 'nothing'"):
        new_record("nothing", files={}, record={})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format_version": 3}, "format version 3, this t3d reads up to 2; install a newer t3d"),
        ({"format_version": "new"}, "format version new"),
        ({"network": None}, 'is no encoder record: it has no object "network"; copy it again'),
        ({"preprocessing": []}, 'no object "preprocessing"'),
        ({"files": []}, 'no object "files"'),
        ({"kind": "segmentation"}, "is no encoder record: it describes weights of kind segmentation"),
    ],
)
def test_records_that_cannot_be_used_are_refused_in_words(tmp_path, change, words):
    path = write(tmp_path / "encoder.json", {**ENCODER_0_1, **change})
    with pytest.raises(T3DError, match=words):
        read_record(path, kinds=ENCODER)


def test_every_kind_is_wanted_by_one_reader():
    assert sorted((*ENCODER, *MODEL, *EXPORT)) == sorted(KINDS)


def test_a_file_is_the_one_its_record_describes_or_refused(tmp_path):
    weights = tmp_path / "model.pt"
    weights.write_bytes(b"abc")
    assert describes(SEGMENTATION_0_1, weights, name="model.json")
    assert not describes({"files": {}}, weights, name="model.json")
    weights.write_bytes(b"abd")
    with pytest.raises(
        T3DError, match=r"sha256 a52d159f262b\.\., and model.json beside it says ba7816bf8f01\.\..*Copy both"
    ):
        describes(SEGMENTATION_0_1, weights, name="model.json")


@pytest.mark.parametrize(
    ("recorded", "bf16_here", "expected"),
    [
        ({"amp_dtype": "bfloat16"}, True, torch.bfloat16),
        ({"amp_dtype": "float16"}, True, torch.float16),
        ({"amp_dtype": "bfloat16"}, False, torch.float16),
        ({"amp_dtype": None}, True, torch.bfloat16),
        ({}, True, torch.bfloat16),
        ({}, False, torch.float16),
    ],
)
def test_inference_rounds_as_the_training_did(monkeypatch, caplog, recorded, bf16_here, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: bf16_here)
    assert recorded_amp_dtype(recorded) is expected
    assert ("float16 is taken instead" in caplog.text) == (recorded.get("amp_dtype") == "bfloat16" and not bf16_here)


def test_the_dtype_is_among_the_settings_and_must_be_one_of_autocasts():
    record = new_record("encoder", files={}, record={"amp_dtype": "bfloat16"})
    assert settings_of(record) == {"amp_dtype": "bfloat16"}
    with pytest.raises(T3DError, match="amp_dtype is 'int8'"):
        recorded_amp_dtype({"amp_dtype": "int8"})


def test_settings_that_are_left_open_agree_with_each_other_only():
    assert same_value(None, None) and same_value(1, [1, 1, 1]) and same_value("RAS", "RAS")
    assert not same_value(None, [8, 16]) and not same_value([8, 16], None)
