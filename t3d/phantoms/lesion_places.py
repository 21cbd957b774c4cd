"""Where a lesion fits: points inside an organ, clear of its border and of other lesions."""

from collections.abc import Callable, Sequence

import numpy as np

from t3d.phantoms.anatomy import Anatomy
from t3d.phantoms.study import Lesion
from t3d.phantoms.torso import APEX, BACK_DEPTH, HALF_DEPTH, HALF_WIDTH, in_lung, lobe
from t3d.triple import triple

SIDE = {1: "right", -1: "left"}
Inside = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def stretch(rng: np.random.Generator) -> tuple[float, float, float]:
    """Relative half axes of a lesion that is not quite round."""
    return triple(float(value) for value in rng.uniform(0.86, 1.0, 3))


def point_in(
    rng: np.random.Generator,
    low: Sequence[float],
    high: Sequence[float],
    inside: Inside,
    *,
    radius: np.ndarray,
    clear_of: Sequence[Lesion] = (),
) -> np.ndarray | None:
    """A point with room around it.

    Args:
        rng: source of the 400 candidates.
        low, high: (3,) corners of the box they are drawn from, in reference mm.
        inside: whether points (x, y, z) lie in the organ.
        radius: (3,) distance at which the six neighbours must be inside too.
        clear_of: lesions that must not be touched.

    Returns:
        (3,) reference point, or None if no candidate fits.
    """
    points = rng.uniform(low, high, (400, 3))
    good = inside(*points.T)
    for other in clear_of:
        good &= np.linalg.norm(points - other.point, axis=1) > radius.max() * 1.4 + other.size_mm * 0.65
    for k in range(3):
        for sign in (-1, 1):
            good &= inside(*(points + sign * radius[k] * np.eye(3)[k]).T)
    return points[good][0] if good.any() else None


def in_free_lung(anatomy: Anatomy, side: int) -> Inside:
    """The test for points in a lung that keep off the heart and the hilum."""

    def inside(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        from_heart = (np.stack([x, y, z], axis=-1) - anatomy.heart_centre) @ anatomy.heart_rotation
        apart = ((from_heart / (anatomy.heart_radii * 1.25)) ** 2).sum(axis=-1) > 1
        return in_lung(anatomy, side, x, y, z) & apart & (side * x > 32)

    return inside


def lung_lesion(
    anatomy: Anatomy,
    rng: np.random.Generator,
    finding: str,
    size: float,
    *,
    fit: float = 1.0,
    clear_of: Sequence[Lesion] = (),
) -> Lesion | None:
    """A round lesion somewhere in the lungs, or None where it does not fit.

    Args:
        anatomy: the patient.
        rng: source of side, place and shape.
        finding: name of the finding.
        size: diameter in mm.
        fit: share of the radius that must lie inside the lung.
        clear_of: lesions that must not be touched.
    """
    side = 1 if rng.uniform() < 0.54 else -1
    low = (min(0, side * HALF_WIDTH), -BACK_DEPTH, -70)
    high = (max(0, side * HALF_WIDTH), HALF_DEPTH, APEX)
    point = point_in(
        rng, low, high, in_free_lung(anatomy, side), radius=fit * size / 2 / anatomy.frame, clear_of=clear_of
    )
    if point is None:
        return None
    return Lesion(finding, size, SIDE[side], lobe(side, point[1], point[2]), triple(map(float, point)), stretch(rng))


def several_apart(rng: np.random.Generator, draw: Callable[[], Lesion | None], most: int) -> list[Lesion]:
    """One to `most` lesions, those left out that would touch an earlier one."""
    lesions: list[Lesion] = []
    for _ in range(int(rng.integers(1, most + 1))):
        lesion = draw()
        if lesion is not None and all(
            np.linalg.norm(np.subtract(lesion.point, other.point)) > (lesion.size_mm + other.size_mm) * 0.6
            for other in lesions
        ):
            lesions.append(lesion)
    return lesions
