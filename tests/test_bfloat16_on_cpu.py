"""bfloat16 on a CPU: wrong gradients stop a training before its first step."""

import pytest
import torch
from ignite.engine import Engine
from torch import nn

from t3d.errors import T3DError
from t3d.train import bfloat16_on_cpu
from t3d.train.bfloat16_on_cpu import CheckBfloat16, gradient_is_right


@pytest.mark.parametrize("sides", [(4, 4, 4), (3, 3, 3)])
def test_right_gradients_pass(sides):
    assert gradient_is_right(nn.Conv3d(16, 16, 3, padding=1), sides)


def test_a_gradient_that_is_off_is_seen(monkeypatch):
    plain = torch.nn.functional.conv3d
    monkeypatch.setattr(
        torch.nn.functional,
        "conv3d",
        lambda image, weight, *rest: plain(image, weight * (2 if torch.is_autocast_enabled("cpu") else 1), *rest),
    )
    assert not gradient_is_right(nn.Conv3d(4, 4, 3, padding=1), (4, 4, 4))


def run(network, sides, *, batches=2):
    def step(engine, batch):
        with torch.autocast("cpu", torch.bfloat16):
            return network(torch.zeros(1, 4, *sides)).sum().item()

    engine = Engine(step)
    CheckBfloat16(network).attach(engine)
    engine.run(range(batches))
    # one that goes on begins at a later iteration
    engine.state.iteration, engine.state.epoch = 10, 5
    engine.run(range(batches), max_epochs=6)
    assert not network._forward_pre_hooks and not any(layer._forward_pre_hooks for layer in network.modules())


def test_a_training_stops_in_its_first_step(monkeypatch):
    monkeypatch.setattr(bfloat16_on_cpu, "gradient_is_right", lambda layer, sides: False)
    with pytest.raises(T3DError, match=r"maps of 2 x 2 x 2 voxels: pass --amp False"):
        run(nn.Conv3d(4, 4, 3, padding=1), (2, 2, 2))


def test_each_kind_of_convolution_is_tried_once_and_large_maps_are_not(monkeypatch):
    tried = []
    monkeypatch.setattr(bfloat16_on_cpu, "gradient_is_right", lambda layer, sides: tried.append(sides) or True)
    run(nn.Sequential(nn.Conv3d(4, 4, 3, padding=1), nn.Conv3d(4, 4, 3, padding=1), nn.Conv3d(4, 4, 1)), (2, 3, 4))
    assert tried == [(2, 3, 4), (2, 3, 4)]
    run(nn.Conv3d(4, 4, 3, padding=1), (8, 8, 8))
    assert len(tried) == 2


class InFloat32(nn.Sequential):
    def forward(self, x):
        with torch.autocast("cpu", enabled=False):
            return super().forward(x)


def test_what_runs_in_float32_is_left_alone(monkeypatch):
    tried = []
    monkeypatch.setattr(bfloat16_on_cpu, "gradient_is_right", lambda layer, sides: tried.append(layer) or True)
    one, other = nn.Conv3d(4, 4, 3, padding=1), nn.Conv3d(4, 4, 3, padding=1)
    run(InFloat32(one), (2, 2, 2))
    assert not tried
    run(nn.Sequential(InFloat32(one), other), (2, 2, 2))
    assert tried == [other]
