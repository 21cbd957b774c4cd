import hashlib
import json

import pytest
import torch
from monai.networks.nets import SwinUNETR

from t3d.errors import T3DError
from t3d.train.best_model import BestModel
from t3d.train.model_hand_over import HandOver, ModelHandOver, amp_dtype


class FakeEngine:
    amp = False

    def __init__(self, **metrics):
        self.state = type("State", (), {"epoch": 4, "metrics": metrics})()


def read(folder, name):
    return torch.load(folder / name, weights_only=True)


def test_the_best_becomes_the_model_and_the_last_stays_beside_it(tmp_path):
    network = torch.nn.Linear(1, 1)
    best = BestModel(ckpt_dir=str(tmp_path), network=network, gauge="dice")
    for value, weight in ((0.5, 1.0), (0.7, 2.0), (float("nan"), 3.0), (0.6, 4.0)):
        torch.nn.init.constant_(network.weight, weight)
        best.compare(FakeEngine(dice=value))
    ModelHandOver(ckpt_dir=str(tmp_path), network=network, record={"labels": {"liver": 1}}, best=best).write(
        FakeEngine()
    )
    assert float(read(tmp_path, "model.pt")["weight"]) == 2.0
    assert float(read(tmp_path, "model_last.pt")["weight"]) == 4.0
    record = json.loads((tmp_path / "model.json").read_text())
    assert record["model"] == "best" and record["best"] == {"gauge": "dice", "value": 0.7}
    assert record["labels"] == {"liver": 1} and record["epochs"] == 4
    assert (record["format_version"], record["kind"], record["amp_dtype"]) == (2, "segmentation", None)
    for name, digest in record["files"].items():
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest


def test_without_validation_the_last_is_the_model(tmp_path):
    network = torch.nn.Linear(1, 1)
    best = BestModel(ckpt_dir=str(tmp_path), network=network, gauge="dice")
    ModelHandOver(ckpt_dir=str(tmp_path), network=network, record={}, best=best).write(FakeEngine())
    assert torch.equal(read(tmp_path, "model.pt")["weight"], network.weight)
    assert json.loads((tmp_path / "model.json").read_text())["model"] == "last"


def test_a_validation_that_measured_nothing_is_no_best_and_no_end(tmp_path, caplog):
    network = torch.nn.Linear(1, 1)
    best = BestModel(ckpt_dir=str(tmp_path), network=network, gauge="sentence_accuracy")
    best.compare(FakeEngine(tic_accuracy=0.5))
    assert best.value is None and not list(tmp_path.iterdir())
    assert "sentence_accuracy could not be measured" in caplog.text


def test_the_record_says_what_the_training_autocast_to(tmp_path):
    engine = FakeEngine()
    engine.amp, engine.amp_kwargs = True, {"dtype": torch.bfloat16}
    ModelHandOver(ckpt_dir=str(tmp_path), network=torch.nn.Linear(1, 1), record={"findings": ["nodule"]}).write(engine)
    record = json.loads((tmp_path / "model.json").read_text())
    assert (record["kind"], record["amp_dtype"]) == ("classification", "bfloat16")
    engine.amp_kwargs = {}
    assert amp_dtype(engine) == "float16"  # torch's own choice for CUDA


def test_a_best_model_that_was_deleted_is_said(tmp_path):
    network = torch.nn.Linear(1, 1)
    best = BestModel(ckpt_dir=str(tmp_path), network=network, gauge="dice")
    best.compare(FakeEngine(dice=0.5))
    (tmp_path / "model_best.pt").unlink()
    hand_over = ModelHandOver(ckpt_dir=str(tmp_path), network=network, record={}, best=best)
    with pytest.raises(T3DError, match=r"model_best\.pt, .* \(0\.5\), has been deleted and no model"):
        hand_over.write(FakeEngine())
    assert not list(tmp_path.iterdir())


def test_an_encoder_s_record_names_the_whole_network_too(tmp_path):
    network = SwinUNETR(in_channels=1, out_channels=2, feature_size=12, window_size=2)
    HandOver(ckpt_dir=str(tmp_path), network=network, record={"network": {"window_size": 2}}).write(FakeEngine())
    record = json.loads((tmp_path / "encoder.json").read_text())
    assert set(record["files"]) == {"model.pt", "encoder.pt", "encoder.safetensors"}
    for name, digest in record["files"].items():
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest
    assert torch.equal(read(tmp_path, "model.pt")["out.conv.conv.bias"], network.out.conv.conv.bias)
