"""Whether a label lies on its image's voxels, also when its axes are stored in another order or direction."""

from collections.abc import Sequence
from dataclasses import dataclass

import nibabel as nib
import numpy as np
from nibabel.orientations import inv_ornt_aff, io_orientation, ornt_transform

from t3d.triple import triple

# Ours, in voxels of the image: published labels are up to 0.02 mm off, and no voxel changes its neighbour below it.
GRID_TOLERANCE = 0.05
_AS_IT_IS = np.array([[0.0, 1], [1, 1], [2, 1]])


@dataclass(frozen=True)
class Placement:
    """How the axes of a label become those of its image.

    Attributes:
        turn: (3, 2), for each axis of the label its axis of the image and its direction, 1 or -1 (as nibabel has it).
        shape: of the label after the turn.
        off_voxels, off_mm: how far its most distant corner is then from that of the image; infinite when the shapes
            differ.
    """

    turn: np.ndarray
    shape: tuple[int, int, int]
    off_voxels: float
    off_mm: float

    @property
    def same(self) -> bool:
        """Whether the voxels are those of the image."""
        return self.off_voxels <= GRID_TOLERANCE

    @property
    def turned(self) -> bool:
        """Whether the label's axes are others than the image's."""
        return not np.array_equal(self.turn, _AS_IT_IS)


def place_on(
    shape: Sequence[int], affine: np.ndarray, label_shape: Sequence[int], label_affine: np.ndarray
) -> Placement:
    """The turn that brings a label closest to an image's grid, from their headers.

    Args:
        shape, affine: of the image; (4, 4), voxels to RAS millimetres.
        label_shape, label_affine: of the label.
    """
    affine, label_affine = np.asarray(affine, dtype=np.float64), np.asarray(label_affine, dtype=np.float64)
    as_it_is = _placed(shape, affine, label_shape, label_affine, _AS_IT_IS)
    if as_it_is.same:
        return as_it_is
    turns = [io_orientation(form) for form in (label_affine, affine)]
    if np.isnan(turns).any():
        return as_it_is  # an affine without a direction has no orientation to turn from
    turn = ornt_transform(*turns)
    return _placed(shape, affine, label_shape, label_affine, turn)


def grid_fault(
    shape: Sequence[int], affine: np.ndarray, label_shape: Sequence[int], label_affine: np.ndarray
) -> str | None:
    """What keeps a label from lying on its image's voxels in whatever orientation, or None."""
    placed = place_on(shape, affine, label_shape, label_affine)
    if placed.same:
        return None
    if placed.shape != tuple(int(side) for side in shape[:3]):
        return (
            f"label has shape {placed.shape}, image has {tuple(int(n) for n in shape[:3])}; resample the label to the "
            "image's grid"
        )
    codes = ["".join(axis or "?" for axis in nib.aff2axcodes(form)) for form in (label_affine, affine)]
    # copied onto other axes the header would mirror the label
    remedy = (
        f" (label {codes[0]}, image {codes[1]}; orientations alone would be no fault)"
        if codes[0] != codes[1]
        else ", or copy the image's header if only the header is wrong"
    )
    return (
        f"label and image have different affines (a corner differs by {placed.off_mm:.2f} mm); resample the label to "
        f"the image's grid{remedy}"
    )


def _placed(
    shape: Sequence[int], affine: np.ndarray, label_shape: Sequence[int], label_affine: np.ndarray, turn: np.ndarray
) -> Placement:
    found = [int(side) for side in label_shape[:3]]
    turned = [0, 0, 0]
    for axis in range(3):
        turned[int(turn[axis, 0])] = found[axis]
    if turned != [int(side) for side in shape[:3]]:
        return Placement(turn, triple(turned), np.inf, np.inf)
    corners = np.array(np.meshgrid(*[(0, side - 1) for side in turned])).reshape(3, -1)
    there = label_affine @ inv_ornt_aff(turn, found) @ np.vstack([corners, np.ones(corners.shape[1])])
    here = affine @ np.vstack([corners, np.ones(corners.shape[1])])
    apart = (there - here)[:3]
    voxels = np.linalg.solve(affine[:3, :3], apart)
    return Placement(turn, triple(turned), float(np.abs(voxels).max()), float(np.linalg.norm(apart, axis=0).max()))
