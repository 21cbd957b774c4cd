"""The grid that MONAI's Orientation (RAS) and Spacing would give a volume, computed from its header alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from monai.data.utils import AFFINE_TOL, affine_to_spacing, compute_shape_offset, zoom_affine
from nibabel.orientations import inv_ornt_aff, io_orientation

from t3d.triple import triple

# A step sideways of this many source voxels over the whole volume changes no value by 1 HU.
_STRAIGHT = 1e-4


@dataclass(frozen=True)
class PreparedGrid:
    """How the voxels of a file lie on its prepared grid.

    Attributes:
        turn: (3, 2), for each axis of the file its RAS axis and its direction, 1 or -1 (as nibabel has it).
        turned_shape: voxels along R, A and S before resampling.
        shape: voxels along R, A and S after it.
        affine: (4, 4), prepared voxels to RAS millimetres.
        to_source: (4, 4), prepared voxels to voxels of the turned volume.
        straight: whether each prepared axis follows one turned axis, so that axes can be resampled one by one.
            False for affines with shear, such as a tilted gantry.
    """

    turn: np.ndarray
    turned_shape: tuple[int, int, int]
    shape: tuple[int, int, int]
    affine: np.ndarray
    to_source: np.ndarray
    straight: bool


def prepared_grid(shape: Sequence[int], affine: np.ndarray, spacing: Sequence[float]) -> PreparedGrid:
    """The grid of ``Orientationd(axcodes="RAS")`` and then ``Spacingd(pixdim=spacing)`` with their defaults.

    Args:
        shape: voxels of the file.
        affine: (4, 4), its voxels to RAS millimetres.
        spacing: millimetres along R, A and S.
    """
    affine = np.asarray(affine, dtype=np.float64)
    turn = io_orientation(affine)
    turned_affine = affine @ inv_ornt_aff(turn, shape)
    turned_shape = triple(int(shape[int(np.flatnonzero(turn[:, 0] == axis)[0])]) for axis in range(3))
    wanted = np.asarray(spacing, dtype=np.float64)
    found = affine_to_spacing(turned_affine, 3, wanted.dtype)
    # Spacing keeps a spacing that is the wanted one but for rounding.
    wanted = np.where(np.abs(found - wanted) <= AFFINE_TOL, found, wanted)
    new_affine = zoom_affine(turned_affine, wanted, diagonal=False)
    new_shape, offset = compute_shape_offset(turned_shape, turned_affine, new_affine)
    new_affine[:3, -1] = offset[:3]
    to_source = np.linalg.solve(turned_affine, new_affine)
    same = np.array_equal(new_shape, turned_shape) and (
        np.allclose(turned_affine, new_affine, atol=AFFINE_TOL) or np.allclose(to_source, np.eye(4), atol=AFFINE_TOL)
    )
    if same:
        to_source = np.eye(4)
    sideways = np.abs(to_source[:3, :3] - np.diag(np.diag(to_source[:3, :3]))) * np.asarray(new_shape)
    return PreparedGrid(
        turn=turn,
        turned_shape=turned_shape,
        shape=triple(int(side) for side in new_shape),
        affine=new_affine,
        to_source=to_source,
        straight=bool(sideways.max() < _STRAIGHT),
    )


def turned_grid(grid: PreparedGrid, turn: np.ndarray) -> PreparedGrid:
    """The same prepared grid for a file whose axes are others than those the grid was made for.

    Args:
        grid: of the image.
        turn: (3, 2), for each axis of the file its axis of the image and its direction.
    """
    axes = turn[:, 0].astype(int)
    return replace(grid, turn=np.column_stack([grid.turn[axes, 0], grid.turn[axes, 1] * turn[:, 1]]))
