"""A loaded label laid on its loaded image: turned to its axes, with its affine, in whole numbers."""

import logging
from collections.abc import Hashable, Mapping

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from nibabel.orientations import apply_orientation

from t3d.errors import T3DError
from t3d.volume.in_words import say_once
from t3d.volume.same_voxels import grid_fault, place_on
from t3d.volume.whole_numbers import whole_numbers

logger = logging.getLogger(__name__)
# An affine differs by rounding below it, in voxels; what is more is said.
_ROUNDING = 1e-3


class LabelOnImaged(MapTransform):
    """Lays labels on their image right after both were loaded, channel first; for pipelines of ``LoadImaged``.

    ``LoadVolumed`` does the same on its own.

    Args:
        keys: of the labels; those that an item lacks are skipped.
        image_key: of the image.

    Raises:
        T3DError: the label does not lie on the image's voxels, or has values between whole numbers.
    """

    def __init__(self, keys: KeysCollection = "label", *, image_key: str = "image") -> None:
        super().__init__(keys, allow_missing_keys=True)
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, MetaTensor]) -> dict[Hashable, MetaTensor]:
        """A copy of the item with its labels on the image's grid."""
        item = dict(data)
        for key in self.key_iterator(item):
            item[key] = lay_on(item[key], item[self.image_key], f"case {item.get('case_id', 'unknown')}")
        return item


def lay_on(label: MetaTensor, image: MetaTensor, who: str) -> MetaTensor:
    """A label (1, X, Y, Z) in the axes of its image (1, X, Y, Z), with the image's affine.

    Labels stored in another orientation are turned, which is exact; nothing is resampled.

    Args:
        label, image: as loaded, with their affines.
        who: names the case in messages.

    Raises:
        T3DError: another grid, or values between whole numbers.
    """
    grids = image.shape[1:], np.asarray(image.affine), label.shape[1:], np.asarray(label.affine)
    fault = grid_fault(*grids)
    if fault:
        raise T3DError(f"{who}: {fault}.")
    placed = place_on(*grids)
    if placed.off_voxels > _ROUNDING:
        say_once(logger, f"{who}: the label lies {placed.off_mm:.3f} mm beside the image; the image's affine is taken")
    values = label.as_tensor()
    if values.is_floating_point():
        rounded = whole_numbers(values.numpy())
        if rounded is None:
            raise T3DError(f"{who}: label has values that are no whole numbers; export it as a label map.")
        values = torch.as_tensor(rounded, dtype=values.dtype)
    if placed.turned:
        values = torch.as_tensor(np.ascontiguousarray(apply_orientation(values[0].numpy(), placed.turn)))[None]
    elif placed.off_voxels == 0 and values is label.as_tensor():
        return label
    meta = {**label.meta, "affine": image.affine, "spatial_shape": np.array(values.shape[1:])}
    return MetaTensor(values, meta=meta)
