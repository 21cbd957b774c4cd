"""Liver, spleen, kidneys, stomach, bowel and the muscles along the spine."""

from collections.abc import Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from t3d.phantoms.anatomy import Anatomy
from t3d.phantoms.grid import Grid
from t3d.phantoms.tissues import Tissue
from t3d.phantoms.torso import BACK_DEPTH, BOTTOM, HALF_DEPTH, HALF_WIDTH, diaphragm, in_cavity
from t3d.phantoms.tubes import smooth_path, tube_mask

EVERYWHERE = (slice(None),) * 3
INSIDES = (Tissue.FAT, Tissue.BOWEL, Tissue.BOWEL_GAS)


def kidney_pose(anatomy: Anatomy, side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centre (3,), half axes (3,) and rotation (3, 3) of the right (1) or left (-1) kidney."""
    place = 0 if side == 1 else 1
    centre = np.array([side * 62.0, -58.0, -104.0 if side == 1 else -94.0]) + anatomy.kidney_shift[place]
    half = anatomy.kidney_length[place] / 2
    # Upper poles lean to the spine and backwards, as the psoas makes them.
    rotation = Rotation.from_euler("yx", [side * 14, -10], degrees=True).as_matrix()
    return (
        centre,
        np.array([27.0, 24.0, half]) * (half / 54) ** np.array([0.6, 0.6, 0.4]) * [1, 1, (half / 54) ** -0.4],
        rotation,
    )


def spleen_pose(anatomy: Anatomy) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centre, half axes and rotation of the spleen."""
    half = anatomy.spleen_length / 2
    centre = np.array([-92.0, -38.0, -82.0 - 0.3 * (half - 50)]) + anatomy.spleen_shift
    rotation = Rotation.from_euler("xz", [-22, 28], degrees=True).as_matrix()
    return centre, np.array([25.0, 41.0, half]) * [(half / 50) ** 0.6, (half / 50) ** 0.6, 1], rotation


def in_liver(anatomy: Anatomy, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Whether points lie in the liver: under the diaphragm, above a slanting lower surface."""
    top = diaphragm(anatomy, x, y) - 3
    to_left = np.maximum(78 - x, 0)
    lower = -anatomy.liver_length + 0.5 * to_left + 0.0035 * to_left**2 + 0.003 * np.maximum(y - 10, 0) ** 2
    # The right kidney and the bowel hollow the lower surface out from behind and from the middle.
    lower = (
        lower
        + 0.011 * np.maximum(-8 - y, 0) ** 2 * np.clip((105 - x) / 45, 0.4, 1)
        + 0.004 * np.maximum(x - 95, 0) ** 2
    )
    left_end = -anatomy.liver_left + 0.55 * np.maximum(20 - y, 0) + 0.25 * np.maximum(-z - 30, 0)
    behind = y > np.where(x > 30, -82, -30 - 0.25 * (x - 30))
    return in_cavity(x, y, z, margin=4.0) & (z < top) & (z > lower) & (x > left_end) & behind


def paint_abdomen(grid: Grid, anatomy: Anatomy) -> None:
    """Paint the abdomen into the cavity's fat, hollow organs first."""
    _bowel(grid, anatomy)
    _stomach(grid, anatomy)
    _muscles(grid)
    box = grid.box((-115, -BACK_DEPTH, -190), (HALF_WIDTH, HALF_DEPTH, 20))
    grid.paint(
        box,
        in_liver(anatomy, *grid.axes(box)),
        Tissue.LIVER,
        over=(*INSIDES, Tissue.STOMACH, Tissue.STOMACH_GAS),
    )
    box, inside = grid.ellipsoid((54, 34, -anatomy.liver_length + 12), (13, 17, 24))
    grid.paint(box, inside < 1, Tissue.GALLBLADDER, over=(*INSIDES, Tissue.LIVER))
    centre, radii, rotation = spleen_pose(anatomy)
    _inside_wall(
        grid, centre, radii + 4, rotation, Tissue.FAT, (*INSIDES, Tissue.STOMACH, Tissue.STOMACH_GAS), anatomy
    )
    _inside_wall(grid, centre, radii, rotation, Tissue.SPLEEN, INSIDES, anatomy)
    gland = smooth_path(
        [(42, 8, -98), (22, 4, -90), (-10, 6, -80), (-45, -18, -70), (-72, -34, -62)], [13, 11, 9, 9, 6]
    )
    grid.paint(EVERYWHERE, tube_mask(grid, gland), Tissue.PANCREAS, over=INSIDES)
    for side, tissue in ((1, Tissue.KIDNEY_RIGHT), (-1, Tissue.KIDNEY_LEFT)):
        _kidney(grid, anatomy, side, tissue)


def _inside_wall(
    grid: Grid,
    centre: np.ndarray,
    radii: np.ndarray,
    rotation: np.ndarray,
    tissue: Tissue,
    over: Sequence[Tissue],
    anatomy: Anatomy,
) -> None:
    box, inside = grid.ellipsoid(centre, radii, rotation)
    x, y, z = grid.axes(box)
    grid.paint(box, (inside < 1) & in_cavity(x, y, z, margin=4.0) & (z < diaphragm(anatomy, x, y) - 3), tissue, over)


def _kidney(grid: Grid, anatomy: Anatomy, side: int, tissue: Tissue) -> None:
    centre, radii, rotation = kidney_pose(anatomy, side)
    soft = (*INSIDES, Tissue.LIVER, Tissue.SPLEEN, Tissue.PANCREAS, Tissue.STOMACH, Tissue.STOMACH_GAS)
    box, inside = grid.ellipsoid(centre, radii + 6, rotation)
    grid.paint(box, (inside < 1) & in_cavity(*grid.axes(box), margin=1.0), Tissue.FAT, over=soft)
    box, inside = grid.ellipsoid(centre, radii, rotation)
    grid.paint(box, inside < 1, tissue, over=(Tissue.FAT, Tissue.MUSCLE))
    hilum = centre - rotation @ np.array([side * 0.62 * radii[0], -0.15 * radii[1], 0])
    box, inside = grid.ellipsoid(hilum, radii * [0.55, 0.36, 0.42], rotation)
    grid.paint(box, inside < 1, Tissue.FAT, over=(tissue,))


def _stomach(grid: Grid, anatomy: Anatomy) -> None:
    centre = np.array([-58.0, 14.0, -48.0])
    radii = np.array([38.0, 40.0, 40.0]) * anatomy.stomach**0.6
    box, inside = grid.ellipsoid(centre, radii)
    x, y, z = grid.axes(box)
    below = in_cavity(x, y, z, margin=5.0) & (z < diaphragm(anatomy, x, y) - 4)
    grid.paint(box, (inside < 1) & below, Tissue.STOMACH, over=INSIDES)
    level = centre[1] + radii[1] * (1 - 1.7 * anatomy.gas)  # supine: gas collects in front of a fluid level
    grid.paint(box, (inside < 0.83) & below & (y > level), Tissue.STOMACH_GAS, over=(Tissue.STOMACH,))


def _bowel(grid: Grid, anatomy: Anatomy) -> None:
    rng = np.random.default_rng([anatomy.shape_seed, 7])
    loops, gas = [], []
    course = [
        (108, 0, BOTTOM - 10),
        (104, 10, -128),
        (60, 50, -122),
        (0, 58, -132),
        (-60, 48, -112),
        (-100, 10, -92),
        (-108, -8, BOTTOM - 10),
    ]
    colon = np.array(course) + rng.normal(0, 5, (len(course), 3))
    loops.append(smooth_path(colon, rng.uniform(14, 20, len(colon)), steps=80))
    gas.append(smooth_path(colon + [0, 3, 0], rng.uniform(3, 16, len(colon)), steps=80))
    for _ in range(8):
        start = rng.uniform((-80, -15, BOTTOM), (55, 50, -85))
        knots = start + np.cumsum(rng.normal(0, [26, 12, 14], (7, 3)), axis=0)
        knots = np.clip(knots, (-92, -26, BOTTOM - 20), (80, 62, -78))
        knots += rng.normal(0, 2, knots.shape)
        loops.append(smooth_path(knots, rng.uniform(9, 13), steps=70))
        if rng.uniform() < 0.5:
            gas.append(smooth_path(knots[2:5] + [0, 3, 0], rng.uniform(3, 8), steps=24))
    grid.paint(EVERYWHERE, tube_mask(grid, *loops), Tissue.BOWEL, over=(Tissue.FAT,))
    grid.paint(EVERYWHERE, tube_mask(grid, *gas), Tissue.BOWEL_GAS, over=(Tissue.BOWEL,))


def _muscles(grid: Grid) -> None:
    """Psoas on both sides of the lumbar spine."""
    paths = [
        smooth_path([(s * 27, -66, -60), (s * 34, -64, -110), (s * 42, -58, BOTTOM - 30)], [6, 14, 20], steps=30)
        for s in (1, -1)
    ]
    grid.paint(EVERYWHERE, tube_mask(grid, *paths), Tissue.MUSCLE, over=INSIDES)
