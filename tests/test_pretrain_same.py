"""With the settings of version 0.1 the pre-training network is that of 0.1: names, starting weights, loss, gradients.

The numbers were written by version 0.1's network (``python tests/test_pretrain_same.py``), in double precision.
"""

import json
from pathlib import Path

import pytest
import torch

from t3d.losses.pretrain import PretrainLoss
from t3d.networks.pretrain import VERSION_0_1, PretrainNetwork

NUMBERS = Path(__file__).parent / "golden" / "pretrain_network.json"
SWIN = {"feature_size": 12, "window_size": 2, "depths": (1, 1, 1, 1), "use_alignment": True}
KINDS = {
    "image": SWIN,
    "shared_report": SWIN | {"candidates": "shared_report"},
    "own_report": SWIN | {"candidates": "own_report"},
    "twin": SWIN | {"use_text": False, "use_alignment": False},
    "segres": {"backbone": "segres", "feature_size": 4, "use_alignment": True},
}


def batch():
    generator = torch.Generator().manual_seed(5)
    views = [torch.rand(3, 2, 1, 32, 64, 32, generator=generator, dtype=torch.float64) for _ in range(2)]
    mask = torch.ones(3, 5, dtype=torch.bool)
    mask[1, 3:] = False
    report = torch.randn(3, 5, 8, generator=generator, dtype=torch.float64)
    rest = {"report_id": torch.tensor([1, 2, 1]), "patient": torch.tensor([7, 8, 8])}
    return {"image": views[0], "corrupted": views[1], "report": report, "report_mask": mask} | rest


def measure(kind):
    """Numbers of one step by name: the loss, and of each parameter its sum and its gradient's sums."""
    torch.manual_seed(3)
    network = PretrainNetwork(text_width=8, embedding_width=6, **KINDS[kind], **VERSION_0_1).double()
    loss = PretrainLoss(alignment_weight=0.7 * KINDS[kind]["use_alignment"])(network(**batch()))
    loss.backward()
    found = {"loss": [loss.item()]}
    for name, parameter in network.named_parameters():
        gradient = parameter.grad
        found[name] = [parameter.sum().item(), gradient.sum().item(), gradient.abs().sum().item()]
    return found, sorted(set(network.state_dict()) - set(found))


@pytest.mark.parametrize("kind", KINDS)
def test_one_step_is_that_of_version_0_1(kind):
    expected = json.loads(NUMBERS.read_text())[kind]
    found, buffers = measure(kind)
    assert list(found) == list(expected)
    assert all("relative_position_index" in name for name in buffers)
    for name, numbers in found.items():
        size = max(abs(number) for number in expected[name])
        # a bias whose gradient is nothing but rounding has another one on another CPU
        assert numbers == pytest.approx(expected[name], rel=1e-9, abs=1e-9 * size + 1e-13), name


if __name__ == "__main__":
    lines = [
        f'"{kind}": {{\n' + ",\n".join(f"{json.dumps(k)}: {v}" for k, v in measure(kind)[0].items()) + "\n}"
        for kind in KINDS
    ]
    NUMBERS.write_text("{\n" + ",\n".join(lines) + "\n}\n")
