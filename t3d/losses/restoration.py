"""Text-informed image restoration (TIR)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class RestorationError(NamedTuple):
    """Mean absolute error over the whole crop and over its corrupted voxels, per case (B,)."""

    whole: Tensor
    corrupted: Tensor


def restoration_error(restored: Tensor, clean: Tensor, corrupted: Tensor) -> RestorationError:
    """L1 per case; all inputs (B, ..) of one shape. A case without a corrupted voxel has a corrupted part of 0."""
    exact = torch.promote_types(restored.dtype, torch.float32)  # half precision sums 96^3 voxels badly
    difference = (restored.to(exact) - clean.to(exact)).abs().flatten(1)
    touched = (corrupted != clean).flatten(1)
    inside = (difference * touched).sum(dim=1) / touched.sum(dim=1).clamp_min(1)
    return RestorationError(whole=difference.mean(dim=1), corrupted=inside)


class TextInformedRestoration(nn.Module):
    """L1 of the restored crop against the clean crop (arXiv 2312.01529).

    ``corrupted_weight`` mixes the two parts (ours): 0 is the plain L1 over the crop, 1 looks at corrupted voxels
    only.
    """

    def __init__(self, *, corrupted_weight: float = 0.0) -> None:
        super().__init__()
        self.corrupted_weight = corrupted_weight

    def forward(self, restored: Tensor, clean: Tensor, corrupted: Tensor) -> Tensor:
        """Return the scalar loss; inputs (B, K, C, X, Y, Z)."""
        error = restoration_error(restored, clean, corrupted)
        weight = self.corrupted_weight
        return ((1 - weight) * error.whole + weight * error.corrupted).mean()
