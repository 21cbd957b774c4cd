"""The histogram control, against plain counting."""

import pytest
import torch

from t3d.evaluate.histogram import histogram_hits, view_histograms
from t3d.transforms.jitter import RandJitterViewsd


def test_shares_are_counted():
    view = torch.tensor([-0.2, 0.0, 0.03, 0.5, 0.999, 1.0, 1.5, 0.51]).reshape(1, 1, 2, 2, 2)
    expected = torch.histc(view.clamp(0, 0.9999), bins=26, min=0, max=1) / 8
    assert torch.allclose(view_histograms(view)[0], expected)


def test_the_own_volume_is_found_by_its_intensities_and_a_tie_is_a_miss():
    level = torch.tensor([0.1, 0.4, 0.7]).reshape(3, 1, 1, 1, 1)
    assert histogram_hits(level.expand(3, 1, 4, 4, 4), level.expand(3, 1, 4, 4, 4)).tolist() == [1, 1, 1]
    assert histogram_hits(torch.ones(3, 1, 4, 4, 4), torch.ones(3, 1, 4, 4, 4)).tolist() == [0, 0, 0]


def test_jitter_makes_the_control_worse():
    generator = torch.Generator().manual_seed(0)
    volumes = torch.linspace(0.4, 0.6, 24).reshape(24, 1, 1, 1, 1)
    pair = volumes.unsqueeze(1) + 0.01 * torch.randn(24, 2, 1, 16, 16, 16, generator=generator)
    transform = RandJitterViewsd()
    hard = torch.stack([transform.set_random_state(i)({"image": views})["image"] for i, views in enumerate(pair)])
    plain = histogram_hits(pair[:, 0], pair[:, 1]).mean()
    assert plain > 0.8
    assert histogram_hits(hard[:, 0], hard[:, 1]).mean() == pytest.approx(1 / 24, abs=0.2)
