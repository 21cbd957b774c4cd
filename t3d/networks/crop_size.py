"""Which crops a Swin UNETR can take."""

from collections.abc import Sequence

from monai.utils import ensure_tuple_rep

from t3d.errors import T3DError
from t3d.networks.vision_encoder import STRIDE

LEAST = 2 * STRIDE  # below, the deepest map is one voxel, which instance normalisation refuses


def check_crop_size(crop_size: int | Sequence[int]) -> None:
    """Refuse crops that SwinUNETR's decoder cannot take, before data are read.

    Args:
        crop_size: one side or three, in voxels.

    Raises:
        T3DError: a side that is no multiple of 32 or below 64.
    """
    sides = ensure_tuple_rep(crop_size, 3)
    if any(side % STRIDE or side < LEAST for side in sides):
        raise T3DError(
            f"crop_size {crop_size}: SwinUNETR takes crops with sides that are multiples of {STRIDE} and at least "
            f"{LEAST}; use 64, 96, 128 .."
        )
