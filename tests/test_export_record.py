import json

import pytest

from t3d.errors import T3DError
from t3d.export.record import export_settings, must_be_exported, read_export
from t3d.files import sha256

NETWORK = {"feature_size": 12, "window_size": 2}
PREPROCESSING = {"spacing": [1.0, 1.0, 2.0], "orientation": "RAS", "hu_range": [-1000, 1000], "crop_size": 64}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"graph")
    write(tmp_path)
    return tmp_path


def write(folder, **changes):
    record = {
        "format_version": 1,
        "files": {"model.onnx": sha256(folder / "model.onnx")},
        "weights": {"model.pt": "1" * 64},
        "network": NETWORK,
        "preprocessing": PREPROCESSING,
        "findings": ["nodule"],
        **changes,
    }
    (folder / "export.json").write_text(json.dumps(record))


def model_record(folder, **changes):
    record = {"network": NETWORK, "preprocessing": PREPROCESSING, "findings": ["nodule"], "files": {}, **changes}
    path = folder / "model.json"
    path.write_text(json.dumps(record))
    return path


def test_settings_come_flat_or_in_their_parts(folder):
    assert read_export(folder / "model.onnx")["preprocessing"] == PREPROCESSING
    settings = export_settings(folder / "model.onnx", model_record=folder / "model.json")
    assert settings["crop_size"] == 64 and settings["feature_size"] == 12 and settings["findings"] == ["nodule"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: (f / "model.onnx").unlink(), "make it with t3d export"),
        (lambda f: (f / "export.json").unlink(), "copy the whole folder"),
        (lambda f: (f / "export.json").write_text("{"), "is no record of an export: it is not valid JSON"),
        (lambda f: write(f, network=None), 'is no record of an export: it has no object "network"; export again'),
        (lambda f: write(f, format_version=3), "format version 3"),
        (lambda f: write(f, files={"other.onnx": "0"}), "speaks of other.onnx, not of model.onnx"),
        (lambda f: (f / "model.onnx").write_bytes(b"changed"), "is not the file"),
    ],
)
def test_what_does_not_fit_together_is_refused(folder, change, words):
    change(folder)
    with pytest.raises(T3DError, match=words):
        read_export(folder / "model.onnx")


def test_a_head_that_was_changed_is_found_with_the_encoder(folder):
    (folder / "head.onnx").write_bytes(b"head")
    write(folder, files={name: sha256(folder / name) for name in ("model.onnx", "head.onnx")})
    assert read_export(folder / "model.onnx")
    (folder / "head.onnx").write_bytes(b"of another export")
    with pytest.raises(T3DError, match="head.onnx is not the file"):
        read_export(folder / "model.onnx")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"network": {**NETWORK, "feature_size": 24}}, "feature_size 12 there, 24 here"),
        ({"preprocessing": {**PREPROCESSING, "hu_range": [-100, 100]}}, r"hu_range \[-1000, 1000\] there"),
        ({"findings": ["cyst"]}, r"findings \['nodule'\] there, \['cyst'\] here"),
        ({"files": {"model.pt": "2" * 64}}, r"other weights \(model.pt\)"),
    ],
)
def test_another_model_than_the_one_at_hand_is_refused(folder, changes, words):
    assert read_export(folder / "model.onnx", model_record=model_record(folder))
    path = model_record(folder, **changes)
    with pytest.raises(T3DError, match=words) as caught:
        read_export(folder / "model.onnx", model_record=path)
    assert str(path) in str(caught.value) and str(folder / "model.onnx") in str(caught.value)


def test_a_configuration_that_asks_for_something_else_is_refused(folder):
    must_be_exported(folder / "model.onnx", crop_size=[64, 64, 64], orientation="RAS", other=3)
    with pytest.raises(T3DError, match="exported with crop_size 64, the configuration says 96"):
        must_be_exported(folder / "model.onnx", crop_size=96)
