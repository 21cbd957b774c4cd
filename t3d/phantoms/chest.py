"""Lungs, airways, heart and great vessels."""

import numpy as np

from t3d.phantoms.anatomy import Anatomy
from t3d.phantoms.grid import Grid
from t3d.phantoms.tissues import Tissue
from t3d.phantoms.torso import APEX, BACK_DEPTH, BOTTOM, HALF_DEPTH, HALF_WIDTH, in_cavity, in_lung
from t3d.phantoms.tubes import filled_share, smooth_path, tube_mask
from t3d.phantoms.vessel_tree import grow_tree

SIDES = ((1, Tissue.LUNG_RIGHT), (-1, Tissue.LUNG_LEFT))
EVERYWHERE = (slice(None),) * 3
LUNGS = (Tissue.LUNG_RIGHT, Tissue.LUNG_LEFT)


def aorta_path(
    anatomy: Anatomy, *, widen: tuple[str, float] | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Segments of the aorta from its root to the lowest slice.

    Args:
        anatomy: whose aorta.
        widen: an aneurysm as (part, diameter in mm), part "ascending", "descending" or "abdominal".

    Returns:
        starts, ends (n, 3) reference points, radii (n,) in mm.
    """
    top = anatomy.arch_height
    knots = [
        (2, 14, 62), (15, 20, 90), (9, 8, top - 8), (-6, -14, top), (-22, -38, top - 8), (-29, -50, 85),
        (-28, -52, 20), (-20, -48, -30), (-11, -44, -90), (-7, -43, -140), (-6, -43, BOTTOM - 40),
    ]  # fmt: skip
    rising, falling, lower = anatomy.aorta_mm / 2
    radii = np.array(
        [
            rising,
            rising,
            rising * 0.95,
            rising * 0.9,
            falling,
            falling,
            falling,
            falling,
            lower,
            lower,
            lower * 0.95,
        ]
    )
    if widen is not None:
        part, diameter = widen
        middle, neighbours = {"ascending": (1, (0, 2)), "descending": (6, ()), "abdominal": (8, ())}[part]
        # Below the arch the wall at the spine stays where it is: the sac grows forwards and to the left.
        if part != "ascending":
            grown = (diameter / 2 - radii[middle]) / anatomy.frame[:2]
            knots[middle] = (knots[middle][0] - 0.5 * grown[0], knots[middle][1] + grown[1], knots[middle][2])
        radii[middle] = diameter / 2
        for knot in neighbours:
            radii[knot] = (radii[knot] + diameter / 2) / 2
    return smooth_path(knots, radii, steps=110)


def lung_tips(anatomy: Anatomy, side: int, count: int) -> np.ndarray:
    """(count, 3) reference points spread through a lung."""
    rng = np.random.default_rng([anatomy.shape_seed, 1 + side])
    low = (5 if side == 1 else -HALF_WIDTH, -BACK_DEPTH, -70)
    high = (HALF_WIDTH if side == 1 else -5, HALF_DEPTH, APEX)
    points = rng.uniform(low, high, (count * 6, 3))
    inside = in_lung(anatomy, side, *points.T)
    return points[inside][:count]


def paint_chest(grid: Grid, anatomy: Anatomy, *, aneurysm: tuple[str, float] | None = None) -> np.ndarray:
    """Paint the organs of the chest; the vessels inside the lungs are returned, not painted.

    Returns:
        Share of every lung voxel that is vessel, (X, Y, Z) float32 in [0, 1].
    """
    box = grid.box((-HALF_WIDTH, -BACK_DEPTH, -110), (HALF_WIDTH, HALF_DEPTH, APEX))
    for side, tissue in SIDES:
        grid.paint(box, in_lung(anatomy, side, *grid.axes(box)), tissue)
    _mediastinum(grid, anatomy)
    paint_heart(grid, anatomy)
    grid.paint(EVERYWHERE, tube_mask(grid, aorta_path(anatomy, widen=aneurysm)), Tissue.AORTA)
    _airways(grid, anatomy)
    return _lung_vessels(grid, anatomy)


def paint_heart(grid: Grid, anatomy: Anatomy) -> None:
    """Heart in its coat of fat, with a thicker left ventricular wall."""
    rotation, radii, centre = anatomy.heart_rotation, anatomy.heart_radii, anatomy.heart_centre
    box, inside = grid.ellipsoid(centre, radii + 5, rotation)
    above = in_cavity(*grid.axes(box), margin=1.0)
    grid.paint(box, (inside < 1) & above, Tissue.FAT, over=LUNGS)
    box, inside = grid.ellipsoid(centre, radii, rotation)
    above = in_cavity(*grid.axes(box), margin=2.0)
    grid.paint(box, (inside < 1) & above, Tissue.HEART)
    along = rotation @ np.array([0.22, 0.0, 0.0]) * radii[0] + np.array([-9.0, -6.0, 0.0])
    outer, wall = grid.ellipsoid(centre + along, radii * [0.74, 0.66, 0.7], rotation)
    grid.paint(outer, wall < 1, Tissue.MYOCARDIUM, over=(Tissue.HEART,))
    box, chamber = grid.ellipsoid(centre + along, radii * [0.58, 0.44, 0.48], rotation)
    grid.paint(box, chamber < 1, Tissue.HEART, over=(Tissue.MYOCARDIUM,))
    septum = rotation @ np.array([-0.15, 0.0, 0.0]) * radii[0]
    box, x = grid.ellipsoid(centre + septum, radii * [0.08, 0.8, 0.8], rotation)
    grid.paint(box, x < 1, Tissue.MYOCARDIUM, over=(Tissue.HEART,))


def _mediastinum(grid: Grid, anatomy: Anatomy) -> None:
    """Venae cavae, branches of the arch, pulmonary vessels and oesophagus in the mediastinal fat."""
    top = anatomy.arch_height
    veins = [
        smooth_path([(4, 0, top), (11, -8, 165), (20, -10, 220)], 6.5),
        smooth_path([(-6, -12, top), (-9, -16, 165), (-14, -14, 220)], 4.5),
        smooth_path([(-15, -24, top), (-19, -28, 165), (-28, -24, 220)], 5.5),
        smooth_path([(24, 2, 215), (19, 6, 160), (18, 6, 120), (20, 8, 70), (18, 6, 40)], 9.0),
        smooth_path([(18, 4, 20), (20, -20, -10), (20, -38, -60), (18, -40, -120), (17, -40, BOTTOM - 30)], 10.5),
        smooth_path([(-16, 32, 62), (-16, 16, 92), (-28, -8, 102), (-44, -20, 98)], [14, 14, 11, 8]),
        smooth_path([(-16, 14, 92), (10, -6, 92), (34, -12, 90), (48, -16, 84)], [12, 11, 9, 7]),
        smooth_path([(-46, -22, 70), (-20, -18, 66), (20, -18, 66), (46, -20, 66)], [6, 9, 9, 6]),
    ]
    grid.paint(EVERYWHERE, tube_mask(grid, *veins), Tissue.VEIN)
    gullet = smooth_path([(-3, -42, 200), (-5, -44, 100), (-8, -40, 20), (-20, -18, -25)], 7.5)
    grid.paint(EVERYWHERE, tube_mask(grid, gullet), Tissue.SOFT)


def _airways(grid: Grid, anatomy: Anatomy) -> None:
    carina = 102.0
    walls, lumen = [], []
    for path, radius in (
        ([(1, -14, 230), (2, -20, 160), (3, -26, carina)], 8.5),
        ([(3, -26, carina), (18, -27, 88), (36, -26, 74)], 6.5),
        ([(3, -26, carina), (-16, -27, 86), (-40, -28, 72)], 6.0),
        ([(36, -26, 74), (44, -34, 48), (54, -44, 20)], 4.0),
        ([(-40, -28, 72), (-48, -36, 46), (-58, -46, 18)], 4.0),
        ([(30, -26, 80), (44, -16, 96), (54, -8, 118)], 3.5),
        ([(-34, -27, 76), (-46, -16, 96), (-54, -6, 116)], 3.5),
    ):
        lumen.append(smooth_path(path, radius, steps=24))
        walls.append(smooth_path(path, radius + 2.0, steps=24))
    grid.paint(EVERYWHERE, tube_mask(grid, *walls), Tissue.SOFT)
    grid.paint(EVERYWHERE, tube_mask(grid, *lumen), Tissue.TRACHEA)


def _lung_vessels(grid: Grid, anatomy: Anatomy) -> np.ndarray:
    trees = []
    for side, _ in SIDES:
        for root, count, width in (((side * 44, -18, 92), 120, 8.0), ((side * 42, -24, 68), 80, 6.5)):
            tips = lung_tips(anatomy, side, count + (40 if width < 7 else 0))
            tips = tips[:count] if width > 7 else tips[40:]
            trees.append(grow_tree(np.array(root, float), tips, tip_radius=1.1, root_radius=width))
    starts, ends, radii = (np.concatenate(part) for part in zip(*trees, strict=True))
    share = np.minimum(filled_share(grid, starts, ends, radii), 1)
    share[~np.isin(grid.tissue, LUNGS)] = 0
    return share
