"""Which findings a patient has: their number, size and place."""

import numpy as np

from t3d.data.phantoms.abdomen import in_liver, kidney_pose
from t3d.data.phantoms.anatomy import Anatomy
from t3d.data.phantoms.study import FINDINGS, Lesion
from t3d.data.phantoms.torso import APEX, HALF_DEPTH, HALF_WIDTH, in_lung, lobe

PREVALENCE = 0.34  # in patients who are not wholly normal
NORMAL_SHARE = 0.12
CHRONIC = frozenset(FINDINGS) - {"pleural_effusion", "consolidation", "pericardial_effusion"}
SIDE = {1: "right", -1: "left"}


def draw_lesions(anatomy: Anatomy, chronic: np.random.Generator, acute: np.random.Generator) -> tuple[Lesion, ...]:
    """Draw all lesions of a case.

    Args:
        anatomy: the patient.
        chronic: generator of the patient, for what is the same on every visit.
        acute: generator of the case, for what comes and goes (effusions, consolidation).
    """
    normal = chronic.uniform() < NORMAL_SHARE
    lesions = []
    for finding in FINDINGS:
        # One child generator per finding, so that one finding's draws do not move the others'.
        rng = np.random.default_rng((chronic if finding in CHRONIC else acute).integers(2**63))
        if rng.uniform() < PREVALENCE and not normal:
            lesions.extend(_DRAW[finding](anatomy, rng))
    return tuple(lesions)


def _stretch(rng: np.random.Generator) -> tuple[float, float, float]:
    return tuple(float(value) for value in rng.uniform(0.86, 1.0, 3))


def _point_in(rng, low, high, inside, *, radius: np.ndarray) -> np.ndarray | None:
    """A point whose six neighbours at `radius` are inside too, or None if 400 draws found none."""
    points = rng.uniform(low, high, (400, 3))
    good = inside(*points.T)
    for k in range(3):
        for sign in (-1, 1):
            good &= inside(*(points + sign * radius[k] * np.eye(3)[k]).T)
    return points[good][0] if good.any() else None


def _in_free_lung(anatomy: Anatomy, side: int):
    def inside(x, y, z):
        from_heart = (np.stack([x, y, z], axis=-1) - anatomy.heart_centre) @ anatomy.heart_rotation
        apart = ((from_heart / (anatomy.heart_radii * 1.25)) ** 2).sum(axis=-1) > 1
        return in_lung(anatomy, side, x, y, z) & apart & (side * x > 32)

    return inside


def _lung_lesion(anatomy: Anatomy, rng, finding: str, size: float, *, fit: float = 1.0) -> Lesion | None:
    side = 1 if rng.uniform() < 0.54 else -1
    low = (min(0, side * HALF_WIDTH), -HALF_DEPTH, -70)
    high = (max(0, side * HALF_WIDTH), HALF_DEPTH, APEX)
    point = _point_in(rng, low, high, _in_free_lung(anatomy, side), radius=fit * size / 2 / anatomy.frame)
    if point is None:
        return None
    return Lesion(finding, size, SIDE[side], lobe(side, point[1], point[2]), tuple(map(float, point)), _stretch(rng))


def _several(rng, draw, most: int) -> list[Lesion]:
    lesions = []
    for _ in range(int(rng.integers(1, most + 1))):
        lesion = draw()
        apart = lesion is not None and all(
            np.linalg.norm(np.subtract(lesion.centre, other.centre)) > (lesion.size_mm + other.size_mm) * 0.6
            for other in lesions
        )
        if apart:
            lesions.append(lesion)
    return lesions


def _nodules(anatomy, rng):
    return _several(rng, lambda: _lung_lesion(anatomy, rng, "lung_nodule", float(rng.uniform(11, 34))), 4)


def _consolidation(anatomy, rng):
    lesion = _lung_lesion(anatomy, rng, "consolidation", float(rng.uniform(48, 85)), fit=0.55)
    return [lesion] if lesion else []


def _emphysema(anatomy, rng):
    lesions = []
    for _ in range(int(rng.integers(5, 15))):
        side = 1 if rng.uniform() < 0.5 else -1
        low, high = (min(0, side * 120), -70, 85), (max(0, side * 120), 70, 180)
        size = float(rng.uniform(14, 36))
        point = _point_in(rng, low, high, _in_free_lung(anatomy, side), radius=0.5 * size / 2 / anatomy.frame)
        if point is not None:
            lesions.append(Lesion("emphysema", size, SIDE[side], "upper lobe", tuple(map(float, point)), _stretch(rng)))
    return lesions


def _effusion(anatomy, rng):
    sides = [(1,), (-1,), (1, -1)][int(rng.choice(3, p=[0.4, 0.3, 0.3]))]
    return [Lesion("pleural_effusion", float(rng.uniform(18, 62)), SIDE[side]) for side in sides]


def _cardiomegaly(anatomy, rng):
    return [Lesion("cardiomegaly", float(rng.uniform(53.5, 65)))]


def _pericardial(anatomy, rng):
    return [Lesion("pericardial_effusion", float(rng.uniform(9, 20)))]


def _aneurysm(anatomy, rng):
    part = ("ascending", "descending", "abdominal")[int(rng.integers(3))]
    size = {"ascending": (46, 62), "descending": (40, 58), "abdominal": (34, 58)}[part]
    return [Lesion("aortic_aneurysm", float(rng.uniform(*size)), place=part)]


def _calcification(anatomy, rng):
    return [Lesion("aortic_calcification", float(rng.uniform(5, 9)), centre=(rng.uniform(), rng.uniform(), 0.0))
            for _ in range(int(rng.integers(5, 26)))]  # fmt: skip


def _liver(anatomy, rng):
    def draw():
        size = float(rng.uniform(16, 58))
        point = _point_in(rng, (-90, -70, -160), (125, 75, 0), lambda *p: in_liver(anatomy, *p), radius=0.9 * size / 2 / anatomy.frame)
        if point is None:
            return None
        part = "left" if point[0] < 22 else "right"
        return Lesion("liver_lesion", size, part, f"{part} hepatic lobe", tuple(map(float, point)), _stretch(rng))

    return _several(rng, draw, 4)


def _steatosis(anatomy, rng):
    return [Lesion("hepatic_steatosis", float(rng.uniform(38, 62)))]


def _spleen(anatomy, rng):
    return [Lesion("splenomegaly", float(rng.uniform(135, 172)))]


def _kidney(anatomy, rng, finding: str, sizes: tuple[float, float], out: float) -> Lesion:
    side = 1 if rng.uniform() < 0.5 else -1
    centre, radii, rotation = kidney_pose(anatomy, side)
    pole = int(rng.integers(-1, 2))
    size = float(rng.uniform(*sizes))
    # `out` is the way from the sinus to the outer border, in half axes.
    offset = np.array([side * out * (0.75 if pole else 1.0), 0.1, 0.62 * pole]) * radii
    place = {1: "upper pole", 0: "interpolar region", -1: "lower pole"}[pole]
    return Lesion(finding, size, SIDE[side], place, tuple(map(float, centre + rotation @ offset)), _stretch(rng))


def _stones(anatomy, rng):
    return _several(rng, lambda: _kidney(anatomy, rng, "kidney_stone", (8, 19), -0.15), 3)


def _cysts(anatomy, rng):
    return _several(rng, lambda: _kidney(anatomy, rng, "kidney_cyst", (22, 62), 0.8), 3)


_DRAW = {
    "lung_nodule": _nodules,
    "pleural_effusion": _effusion,
    "consolidation": _consolidation,
    "emphysema": _emphysema,
    "cardiomegaly": _cardiomegaly,
    "pericardial_effusion": _pericardial,
    "aortic_aneurysm": _aneurysm,
    "aortic_calcification": _calcification,
    "liver_lesion": _liver,
    "hepatic_steatosis": _steatosis,
    "splenomegaly": _spleen,
    "kidney_stone": _stones,
    "kidney_cyst": _cysts,
}
