"""Attention windows of a Swin transformer that divide the grids of a crop."""

import math
from collections.abc import Sequence

from monai.utils import ensure_tuple_rep

PUBLISHED = 7  # of Swin UNETR, of its published weights, and of T3D 0.1
LEAST = 4  # 64 tokens; smaller windows see too little, unless a crop has no more
_DEEPEST = 16  # voxels a side of a token in the last stage that attends


def fitting_window(crop_size: int | Sequence[int]) -> int:
    """The largest window up to Swin UNETR's own that divides the grids of a crop's four stages, so none is padded.

    The stages attend over crop/2, /4, /8 and /16 tokens a side: 96 has 48, 24, 12 and 6 and gets 6, which is twice as
    fast as 7 (49, 28, 14, 7) and keeps two thirds of the memory; 64 and 128 get 4, 32 gets 2. Sides that share no
    window of at least ``LEAST`` get ``PUBLISHED``, padded.

    Args:
        crop_size: one side or three, in voxels; what no encoder takes gets ``PUBLISHED`` and is refused elsewhere.
    """
    sides = ensure_tuple_rep(crop_size, 3)
    if any(side < 1 or side % (2 * _DEEPEST) for side in sides):
        return PUBLISHED
    deepest = [int(side) // _DEEPEST for side in sides]
    window = max(size for size in range(1, PUBLISHED + 1) if math.gcd(*deepest) % size == 0)
    return window if window >= min(LEAST, max(deepest)) else PUBLISHED
