"""A training step asks the device for no value: a card would stand still until the host has read it."""

import sys
from pathlib import Path

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from t3d.losses.masked_bce import MaskedBCE
from t3d.networks.volume_classifier import VolumeClassifier

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
# operations whose result, or its shape, the host must know
WAIT = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "equal", "repeat_interleave", "bincount")


class Waits(TorchDispatchMode):
    """Notes the operations that would wait for a card."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        name = operation.name().removeprefix("aten::").lstrip("_")
        masked = name.startswith("index") and any(
            isinstance(index, torch.Tensor) and index.dtype == torch.bool
            for index in (args[1] if isinstance(args[1], list | tuple) else ())
        )
        if masked or name.partition(".")[0] in {wait.lstrip("_") for wait in WAIT}:
            self.seen.append(name)
        return operation(*args, **(kwargs or {}))


def test_such_operations_are_seen():
    values = torch.arange(3.0)
    for ask in (lambda: values.sum().item(), lambda: bool((values > 0).any()), lambda: values[values > 1]):
        with Waits() as waits:
            ask()
        assert waits.seen


def test_pretraining(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import pretrain_steps

    recipe = pretrain_steps.RECIPES["T3D"]
    network = pretrain_steps.build(recipe, size=32, width=12, depths=(1, 1, 1, 1)).train()
    inputs = pretrain_steps.batch_of(recipe, batch=2, size=32)
    sys.modules.pop("pretrain_steps")
    with Waits() as waits:
        pretrain_steps.step_loss(recipe)(network, inputs).backward()
    assert not waits.seen


def test_classification_waits_for_which_windows_count_alone():
    network = VolumeClassifier(
        num_findings=2, feature_size=12, window_size=2, depths=(1, 1, 1, 1), crop_size=32, pooling="tokens"
    )
    loss = MaskedBCE([2.0, 1.0])
    with Waits() as waits:
        logits = network(torch.rand(2, 2, 32, 32, 32), mask=torch.tensor([[True, True], [True, False]]))
        loss(logits, torch.tensor([[1.0, torch.nan], [0.0, 1.0]])).backward()
    # windows by their mask, features back to their places, and the gradient of that
    assert waits.seen == ["index.Tensor", "index_put_", "index.Tensor"]
