import hashlib
import json

import torch

from t3d.train.best_model import BestModel
from t3d.train.model_hand_over import ModelHandOver


class FakeEngine:
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
    for name, digest in record["files"].items():
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest


def test_without_validation_the_last_is_the_model(tmp_path):
    network = torch.nn.Linear(1, 1)
    best = BestModel(ckpt_dir=str(tmp_path), network=network, gauge="dice")
    ModelHandOver(ckpt_dir=str(tmp_path), network=network, record={}, best=best).write(FakeEngine())
    assert torch.equal(read(tmp_path, "model.pt")["weight"], network.weight)
    assert json.loads((tmp_path / "model.json").read_text())["model"] == "last"
