"""Spine, ribs, sternum and shoulder blades."""

import numpy as np

from t3d.phantoms.anatomy import Anatomy
from t3d.phantoms.grid import Grid
from t3d.phantoms.tissues import Tissue
from t3d.phantoms.torso import BACK_DEPTH, HALF_DEPTH, HALF_WIDTH, cavity_scale
from t3d.phantoms.tubes import smooth_path, tube_mask

DISC_SHARE = 0.2


def spine_centre(anatomy: Anatomy, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(x, y) of the middle of the vertebral bodies at each height, with kyphosis, lordosis and scoliosis."""
    y = -70 - anatomy.kyphosis * np.cos(np.pi * (z - 70) / 230)
    return anatomy.scoliosis * np.sin(np.pi * (z - 20) / 190), y + 0.5 * anatomy.kyphosis


def paint_skeleton(grid: Grid, anatomy: Anatomy) -> None:
    """Paint every bone of the torso and the fat of the armpits."""
    _armpits(grid)
    _shoulder_blades(grid)
    _ribs(grid, anatomy)
    _sternum(grid)
    _spine(grid, anatomy)


def _spine(grid: Grid, anatomy: Anatomy) -> None:
    box = grid.box((-75, -175, -1e3), (75, -30, 1e3))
    x, y, z = grid.axes(box)
    cx, cy = spine_centre(anatomy, z)
    x, y = x - cx, y - cy
    # Vertebrae grow from 21 mm at the top to 30 mm at the bottom; `level` counts them downwards.
    level = (225 - z) / 25.5 + ((225 - z) / 330) ** 2 * -1.4 + anatomy.vertebra_phase
    within = level % 1
    disc = within > 1 - DISC_SHARE
    grow = 1 + 0.22 * np.clip((100 - z) / 250, 0, 1)
    waist = 1 - 0.10 * np.sin(np.pi * np.clip(within / (1 - DISC_SHARE), 0, 1))
    body = (x / (19.5 * grow * waist)) ** 2 + (y / (15.5 * grow * waist)) ** 2
    behind = y + 15.5 * grow + 9
    canal = (x / 10.5) ** 2 + (behind / 8.5) ** 2
    ring = ((x / 19) ** 2 + (behind / 15.5) ** 2 < 1) & (within < 0.72)
    spinous = (np.abs(x) < 4.5) & (behind < -10) & (behind > -36) & (np.abs(within - 0.5 + behind / 90) < 0.24)
    transverse = (np.abs(x) < 36) & (np.abs(behind + 4 + 0.12 * np.abs(x)) < 5.5) & (np.abs(within - 0.3) < 0.2)
    grid.paint(box, ring | spinous | transverse, Tissue.CORTEX)
    grid.paint(box, (body < 1) & disc, Tissue.DISC)
    grid.paint(box, (body < 1) & ~disc, Tissue.CORTEX)
    endplate = (within < 0.09) | (within > 0.91 - DISC_SHARE)
    grid.paint(box, (body < 0.8) & ~disc & ~endplate, Tissue.MARROW)
    grid.paint(box, canal < 1, Tissue.CANAL)


def _rib_path(anatomy: Anatomy, number: int, side: int) -> np.ndarray:
    """(n, 3) knots of a rib (1-12) from its vertebra to its front end."""
    start = 196 - 21.5 * number
    drop = 22 + 6.5 * min(number, 8)
    end = (2.55, 2.75, 2.75, 2.75, 2.7, 2.6, 2.45, 2.25, 2.05, 1.85, 1.5, 1.15)[number - 1]
    angle = np.linspace(0.2, end, 14)
    z = start - drop * (1 - np.cos(angle)) / 2
    scale = np.maximum(cavity_scale(z), 0.34)
    x = side * (HALF_WIDTH + 5) * scale * np.abs(np.sin(angle)) ** 0.86
    depth = np.where(np.cos(angle) > 0, BACK_DEPTH, HALF_DEPTH) + 5
    y = -depth * scale * np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.86
    # Near the spine a rib bends forward to the side of the vertebral body.
    y += 14 * np.exp(-(((angle - 0.2) / 0.22) ** 2))
    return np.stack([x, y, z], axis=1)


def _ribs(grid: Grid, anatomy: Anatomy) -> None:
    bone, cartilage = [], []
    for number in range(1, 13):
        for side in (1, -1):
            starts, ends, radii = smooth_path(_rib_path(anatomy, number, side), 5.6, steps=48)
            front = 38 if 2 <= number <= 10 else 48
            bone.append((starts[:front], ends[:front], radii[:front]))
            if front < 48:
                cartilage.append((starts[front:], ends[front:], radii[front:]))
    everywhere = (slice(None),) * 3
    grid.paint(everywhere, tube_mask(grid, *cartilage), Tissue.CARTILAGE)
    grid.paint(everywhere, tube_mask(grid, *bone), Tissue.RIB)


def _sternum(grid: Grid) -> None:
    box = grid.box((-30, 20, 22), (30, 120, 168))
    x, y, z = grid.axes(box)
    front = (HALF_DEPTH + 4) * cavity_scale(z) ** 0.8
    width = 15 + 9 * np.clip((z - 125) / 35, 0, 1)
    grid.paint(box, (x / width) ** 2 + ((y - front) / 6.5) ** 2 < 1, Tissue.STERNUM)


def _shoulder_blades(grid: Grid) -> None:
    for side in (1, -1):
        turn = side * 0.62
        cos, sin = np.cos(turn), np.sin(turn)
        rotation = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1.0]])
        box, inside = grid.ellipsoid((side * 100, -84, 132), (46, 5.5, 66), rotation)
        grid.paint(box, inside < 1, Tissue.SHOULDER_BONE, over=(Tissue.MUSCLE, Tissue.FAT))


def _armpits(grid: Grid) -> None:
    """Fat between the chest wall and the muscles of shoulder and back."""
    for side in (1, -1):
        box, inside = grid.ellipsoid((side * 137, -8, 122), (17, 46, 60))
        grid.paint(box, inside < 1, Tissue.FAT, over=(Tissue.MUSCLE,))
        box, inside = grid.ellipsoid((side * 72, -91, 168), (44, 10, 34))
        grid.paint(box, inside < 1, Tissue.FAT, over=(Tissue.MUSCLE,))
