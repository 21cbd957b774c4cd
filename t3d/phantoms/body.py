"""A patient's whole torso as a tissue volume."""

import numpy as np

from t3d.phantoms.abdomen import paint_abdomen
from t3d.phantoms.anatomy import Anatomy
from t3d.phantoms.chest import paint_chest
from t3d.phantoms.grid import Grid
from t3d.phantoms.skeleton import paint_skeleton
from t3d.phantoms.tissues import Tissue
from t3d.phantoms.torso import APEX, BACK_DEPTH, HALF_DEPTH, HALF_WIDTH, in_body, in_cavity

EVERYWHERE = (slice(None),) * 3


def field_of_view(anatomy: Anatomy) -> tuple[np.ndarray, np.ndarray]:
    """Size and centre in mm of the scanned volume: square in plane, lung apex to lower kidney poles."""
    wide = 2 * (1.08 * (HALF_WIDTH + 20) * anatomy.frame[0] + anatomy.fat_mm) + 14
    top, bottom = (APEX + 14) * anatomy.frame[2], -170 * anatomy.frame[2]
    return np.array([wide, wide, top - bottom]), np.array([0.0, -4.0, (top + bottom) / 2])


def build_torso(
    anatomy: Anatomy, shape: tuple[int, int, int], *, aneurysm: tuple[str, float] | None = None
) -> tuple[Grid, np.ndarray]:
    """The tissues of a patient on a grid of `shape` voxels.

    Returns:
        The painted grid, and the share of each lung voxel that is vessel, (X, Y, Z) float32.
    """
    field, centre = field_of_view(anatomy)
    grid = Grid.covering(field, centre, shape, anatomy.frame)
    axes = grid.x, grid.y, grid.z
    grid.paint(EVERYWHERE, in_body(anatomy, *axes), Tissue.FAT)
    grid.paint(EVERYWHERE, in_body(anatomy, *axes, fat=False), Tissue.MUSCLE)
    cavity = grid.box((-HALF_WIDTH, -BACK_DEPTH, -1e3), (HALF_WIDTH, HALF_DEPTH, APEX))
    grid.paint(cavity, in_cavity(*grid.axes(cavity)), Tissue.FAT)
    paint_skeleton(grid, anatomy)
    vessels = paint_chest(grid, anatomy, aneurysm=aneurysm)
    paint_abdomen(grid, anatomy)
    return grid, vessels
