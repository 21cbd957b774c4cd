"""How far a restored crop is from the clean one inside a mask."""

import torch
from torch import Tensor


def masked_error(restored: Tensor, clean: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Mean absolute error over the voxels of a mask, for each case.

    Args:
        restored, clean: (B, ..).
        mask: bool, of the same shape.

    Returns:
        The error (B,), float32 or finer, NaN where the mask is empty; and the number of voxels (B,).
    """
    exact = torch.promote_types(restored.dtype, torch.float32)  # half precision sums 96^3 voxels badly
    difference = (restored.to(exact) - clean.to(exact)).abs().masked_fill(~mask, 0).flatten(1).sum(dim=1)
    voxels = mask.flatten(1).sum(dim=1)
    return difference / voxels, voxels
