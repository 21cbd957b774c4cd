"""Which windows an encoder takes, and where they lie that cover a volume: one rule for training and inference."""

from collections.abc import Sequence

import numpy as np
from monai.utils import ensure_tuple_rep

from t3d.errors import T3DError
from t3d.networks.encoders import STRIDE, find_backbone, some_sides
from t3d.triple import triple


def check_crop_size(crop_size: int | Sequence[int], *, backbone: str = "swin") -> None:
    """Refuse crops that a backbone's segmentation network cannot take, before data are read.

    Args:
        crop_size: one side or three, in voxels.
        backbone: see ``t3d.networks.encoders``.

    Raises:
        T3DError: a side that is no multiple of the encoder's stride (32 for Swin) or below two of them: its deepest
            map would be one voxel, which instance normalisation refuses.
    """
    family = find_backbone(backbone)
    sides = ensure_tuple_rep(crop_size, 3)
    if any(side % family.stride or side < 2 * family.stride for side in sides):
        raise T3DError(
            f"crop_size {crop_size}: {family.segmentation.__name__} takes crops with sides that are multiples of "
            f"{family.stride} and at least {2 * family.stride}; use {some_sides(family.stride, least=2)}"
        )


def window_sides(crop_size: int | Sequence[int], *, stride: int = STRIDE) -> tuple[int, int, int]:
    """Window sides in voxels from one number or three.

    Args:
        crop_size: one side or three.
        stride: of the encoder's deepest map; that of Swin, which every other stride divides, where it is not known.

    Raises:
        T3DError: a side that is no multiple of the stride of the deepest map.
    """
    sides = (crop_size,) * 3 if isinstance(crop_size, int) else tuple(crop_size)
    if len(sides) != 3 or any(side != int(side) or side < stride or side % stride for side in sides):
        raise T3DError(f"crop_size {crop_size} is not divisible by {stride} on every side: use {some_sides(stride)}")
    return triple(int(side) for side in sides)


def window_starts(size: tuple[int, ...], window: tuple[int, int, int], *, overlap: float) -> np.ndarray:
    """First voxels of the windows that cover a volume, evenly spaced from edge to edge (ours).

    Args:
        size: (X, Y, Z) of the volume; an axis shorter than the window gets one window at 0 (the rest is padding).
        window: sides in voxels.
        overlap: least overlap of neighbours as a share of the window, in [0, 1).

    Returns:
        (W, 3) int64, the last axis running fastest.
    """
    if not 0 <= overlap < 1:
        raise T3DError(f"overlap {overlap} is outside [0, 1): 0 lays windows side by side, 0.5 covers voxels twice")
    axes = []
    for side, wide in zip(size, window, strict=True):
        room = max(0, side - wide)
        step = max(1, int(wide * (1 - overlap)))
        axes.append(np.linspace(0, room, -(-room // step) + 1).round().astype(np.int64))
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
