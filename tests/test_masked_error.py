import pytest
import torch

from t3d.metrics.masked_error import masked_error


def test_the_mean_over_the_voxels_of_a_mask():
    clean = torch.zeros(3, 1, 2, 2, 2)
    restored = torch.arange(24.0).view_as(clean)
    mask = torch.zeros_like(clean, dtype=torch.bool)
    mask[0, 0, 0, 0], mask[1] = torch.tensor([True, True]), True
    error, voxels = masked_error(-restored, clean, mask)
    assert voxels.tolist() == [2, 8, 0]
    assert error[:2].tolist() == [0.5, pytest.approx(restored[1].mean().item())] and torch.isnan(error[2])


def test_half_precision_is_summed_in_float32():
    restored = torch.full((1, 40, 40, 40), 0.5, dtype=torch.float16)
    error, _ = masked_error(restored, torch.zeros_like(restored), torch.ones_like(restored, dtype=torch.bool))
    assert error.dtype == torch.float32 and error.item() == 0.5
