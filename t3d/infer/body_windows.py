"""The windows of a whole volume that speak for it: those that cover its body, as in a training."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from monai.transforms import generate_spatial_bounding_box
from torch import Tensor

from t3d.networks.window_grid import window_starts
from t3d.triple import triple

OVERLAP, MARGIN = 0.25, 4  # of ``RandWindowsd``, and of what is kept around the body there


def body_windows(volume: Tensor, sides: Sequence[int], *, body_level: float, body_share: float) -> Tensor:
    """Windows over the box of a volume's body, (W, C, s, s, s); of the whole volume where there is no body.

    A training draws its windows there. Windows that reach into the air around the body, or into padding, are none that
    the network knows, and their extremes decide the volume's vector: with them its cosine to the right sentence told
    an effusion from none at an AUROC of .6, without them at .98 (measured on phantoms).

    Args:
        volume: (C, X, Y, Z), scaled to [0, 1].
        sides: of a window in voxels; a shorter box is filled up with air.
        body_level: intensity above which a voxel is body.
        body_share: least share of body in a window that counts; where none has it, all count.
    """
    start, end = generate_spatial_bounding_box(
        volume, select_fn=lambda image: image > body_level, margin=MARGIN, allow_smaller=True
    )
    if any(last <= first for first, last in zip(start, end, strict=True)):
        start, end = [0] * 3, list(volume.shape[1:])
    box = _cut(volume, start, end)
    lacking = [max(0, wide - side) for wide, side in zip(sides, box.shape[1:], strict=True)]
    box = F.pad(box, [pad for lack in reversed(lacking) for pad in (0, lack)])
    wide = triple(int(side) for side in sides)
    places = window_starts(tuple(box.shape[1:]), wide, overlap=OVERLAP).tolist()
    windows = torch.stack(
        [_cut(box, place, [first + side for first, side in zip(place, wide, strict=True)]) for place in places]
    )
    counted = (windows > body_level).flatten(1).float().mean(dim=1) >= body_share
    return windows[counted] if counted.any() else windows


def _cut(volume: Tensor, start: Sequence[int], end: Sequence[int]) -> Tensor:
    x, y, z = (slice(first, last) for first, last in zip(start, end, strict=True))
    return volume[:, x, y, z]
