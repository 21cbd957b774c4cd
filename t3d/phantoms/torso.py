"""The walls of the reference torso: thoracic cavity, diaphragm, lungs and their lobes, skin.

All lengths are reference mm (see `grid.Grid`). Shapes and sizes are ours, set by eye against adult CT.
"""

import numpy as np

from t3d.phantoms.anatomy import Anatomy

HALF_WIDTH = 135.0
HALF_DEPTH = 88.0  # in front of the origin
BACK_DEPTH = 97.0  # behind it: the lungs reach back beside the spine
APEX = 195.0
BOTTOM = -170.0
POWER = 2.4  # of the superellipse that a cross-section of the cavity is


def cavity_scale(z: np.ndarray) -> np.ndarray:
    """Relative width of the cavity at a height: a dome above, a slight waist below."""
    up = np.clip(z, 0, APEX) / APEX
    waist = 1 - 0.08 * np.clip(z / BOTTOM, 0, 1)
    return np.maximum((1 - up**2.3), 1e-4) ** (1 / 1.8) * waist


def in_cavity(x: np.ndarray, y: np.ndarray, z: np.ndarray, *, margin: float = 0.0) -> np.ndarray:
    """Whether points lie inside the ribs (above) or the abdominal wall (below), `margin` mm from it."""
    depth = np.where(y > 0, HALF_DEPTH - margin, BACK_DEPTH - margin).astype(np.float32)
    width = np.abs(x / np.float32(HALF_WIDTH - margin)) ** POWER + np.abs(y / depth) ** POWER
    return (width < cavity_scale(z) ** POWER) & (z < APEX)


def diaphragm(anatomy: Anatomy, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Height of the diaphragm above each (x, y): two domes with recesses along the wall."""
    domes = []
    for side, top in ((1, 0.0), (-1, -anatomy.left_dome_drop)):
        slope = ((x - side * 66) / 76) ** 2 + ((y - 6) / 84) ** 2
        domes.append(top - anatomy.dome_curve * slope)
    return np.maximum(*domes) + 0.2 * (y - 6)


def mediastinum(y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Half-width of what lies between the lungs."""
    hila = 10 * np.exp(-(((z - 88) / 36) ** 2)) * np.exp(-(((y + 8) / 38) ** 2))
    apex = 9 * np.clip((z - 130) / 40, 0, 1)
    front, back = np.clip((y - 5) / 50, 0, 1), np.clip((-45 - y) / 20, 0, 1)
    return 15 + hila + apex - 9 * front + 3 * back


def in_lung(anatomy: Anatomy, side: int, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Whether points lie in the right (side 1) or left (-1) lung, heart and vessels not yet taken out."""
    beside = side * x > mediastinum(y, z)
    return in_cavity(x, y, z, margin=3.0) & beside & (z > diaphragm(anatomy, x, y))


def lobe(side: int, y: float, z: float) -> str:
    """Name of the lobe at a height and depth, from the oblique and the horizontal fissure."""
    if z < 52 - 0.75 * y:
        return "lower lobe"
    if side == 1 and z < 72:
        return "middle lobe"
    return "upper lobe"


def skin_radii(anatomy: Anatomy, z: np.ndarray, *, fat: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Half-width, half-depth and centre depth of the body (or of its muscle wall) at each height.

    The wall is 20 mm of muscle and ribs; shoulders widen the top; fat comes on top in mm of the patient and
    is thickest over the belly.
    """
    shoulder = np.clip((z - 95) / 95, 0, 1)
    belly = np.clip((-z + 40) / 120, 0, 1)
    extra = anatomy.fat_mm if fat else 0.0
    width = (HALF_WIDTH + 20) * (1 + 0.05 * shoulder) * (1 - 0.05 * belly) + extra * (
        0.75 + 0.25 * belly
    ) / anatomy.frame[0]
    depth = (HALF_DEPTH + 28) * (1 - 0.17 * shoulder) + extra * (0.8 + 0.35 * belly) / anatomy.frame[1]
    centre = -9 + (0.3 * extra * belly if fat else 0.0) / anatomy.frame[1]
    return width, depth, centre + 0 * z


def in_body(anatomy: Anatomy, x: np.ndarray, y: np.ndarray, z: np.ndarray, *, fat: bool = True) -> np.ndarray:
    """Whether points lie inside the skin (or, without fat, inside the muscle wall)."""
    width, depth, centre = skin_radii(anatomy, z, fat=fat)
    return np.abs(x / width) ** 2.35 + np.abs((y - centre) / depth) ** 2.35 < 1
