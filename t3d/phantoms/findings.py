"""Which findings a patient has: their number, size and place."""

from collections.abc import Collection, Sequence

import numpy as np

from t3d.phantoms.abdomen import in_liver, kidney_pose
from t3d.phantoms.anatomy import Anatomy
from t3d.phantoms.lesion_places import SIDE, in_free_lung, lung_lesion, point_in, several_apart, stretch
from t3d.phantoms.study import FINDINGS, Lesion, with_disease
from t3d.phantoms.torso import HALF_WIDTH
from t3d.triple import triple

PREVALENCE = 0.34  # in patients who are not wholly normal
NORMAL_SHARE = 0.12
CHRONIC = frozenset(FINDINGS) - {"pleural_effusion", "consolidation", "pericardial_effusion"}


def draw_lesions(
    anatomy: Anatomy,
    chronic: np.random.Generator,
    acute: np.random.Generator,
    *,
    among: Collection[str] = FINDINGS,
) -> tuple[Anatomy, tuple[Lesion, ...]]:
    """Draw all lesions of a case.

    Args:
        anatomy: the patient.
        chronic: generator of the patient, for what is the same on every visit.
        acute: generator of the case, for what comes and goes (effusions, consolidation).
        among: findings that patients may have.

    Returns:
        The anatomy with the organ sizes of the disease, and the lesions in the order of `FINDINGS`.
    """
    normal = chronic.uniform() < NORMAL_SHARE
    # One child generator per finding, so that one finding's draws do not move the others'.
    children = {
        finding: np.random.default_rng((chronic if finding in CHRONIC else acute).integers(2**63))
        for finding in FINDINGS
    }
    present = [finding for finding, rng in children.items() if rng.uniform() < PREVALENCE and not normal]
    present = [finding for finding in present if finding in among]
    # Organs change size first: a nodule must not end up inside a heart that grew.
    present.sort(key=lambda finding: finding not in ("cardiomegaly", "splenomegaly"))
    lesions: list[Lesion] = []
    for finding in present:
        drawn = _DRAW[finding](anatomy, children[finding], lesions)
        anatomy = with_disease(anatomy, drawn, cavity_width=2 * HALF_WIDTH)
        lesions.extend(drawn)
    return anatomy, tuple(sorted(lesions, key=lambda lesion: FINDINGS.index(lesion.finding)))


def _nodules(anatomy: Anatomy, rng: np.random.Generator, earlier: Sequence[Lesion]) -> list[Lesion]:
    return several_apart(rng, lambda: lung_lesion(anatomy, rng, "lung_nodule", float(rng.uniform(13, 34))), 4)


def _consolidation(anatomy: Anatomy, rng: np.random.Generator, earlier: Sequence[Lesion]) -> list[Lesion]:
    nodules = [other for other in earlier if other.finding == "lung_nodule"]
    size = float(rng.uniform(48, 85))
    lesion = lung_lesion(anatomy, rng, "consolidation", size, fit=0.55, clear_of=nodules)
    return [lesion] if lesion else []


def _emphysema(anatomy: Anatomy, rng: np.random.Generator, earlier: Sequence[Lesion]) -> list[Lesion]:
    lesions = []
    for _ in range(int(rng.integers(5, 15))):
        side = 1 if rng.uniform() < 0.5 else -1
        low, high = (min(0, side * 120), -70, 85), (max(0, side * 120), 70, 180)
        size = float(rng.uniform(14, 36))
        point = point_in(rng, low, high, in_free_lung(anatomy, side), radius=0.5 * size / 2 / anatomy.frame)
        if point is not None:
            lesions.append(
                Lesion("emphysema", size, SIDE[side], "upper lobe", triple(map(float, point)), stretch(rng))
            )
    return lesions


def _effusion(anatomy: Anatomy, rng: np.random.Generator, earlier: Sequence[Lesion]) -> list[Lesion]:
    sides = [(1,), (-1,), (1, -1)][int(rng.choice(3, p=[0.4, 0.3, 0.3]))]
    return [Lesion("pleural_effusion", float(rng.uniform(18, 62)), SIDE[side]) for side in sides]


def _cardiomegaly(anatomy: Anatomy, rng: np.random.Generator, earlier: Sequence[Lesion]) -> list[Lesion]:
    return [Lesion("cardiomegaly", float(rng.uniform(53.5, 65)))]


def _pericardial(anatomy: Anatomy, rng: np.random.Generator, earlier: Sequence[Lesion]) -> list[Lesion]:
    return [Lesion("pericardial_effusion", float(rng.uniform(9, 20)))]


def _aneurysm(anatomy: Anatomy, rng: np.random.Generator, earlier: Sequence[Lesion]) -> list[Lesion]:
    part = ("ascending", "descending", "abdominal")[int(rng.integers(3))]
    size = {"ascending": (46, 62), "descending": (40, 58), "abdominal": (34, 58)}[part]
    return [Lesion("aortic_aneurysm", float(rng.uniform(*size)), place=part)]


def _calcification(anatomy: Anatomy, rng: np.random.Generator, earlier: Sequence[Lesion]) -> list[Lesion]:
    return [
        Lesion("aortic_calcification", float(rng.uniform(5, 9)), centre=(rng.uniform(), rng.uniform(), 0.0))
        for _ in range(int(rng.integers(5, 26)))
    ]


def _liver(anatomy: Anatomy, rng: np.random.Generator, earlier: Sequence[Lesion]) -> list[Lesion]:
    centre, radii, _ = kidney_pose(anatomy, 1)

    def free(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        from_kidney = (np.stack([x, y, z], axis=-1) - centre) / (radii * 1.35)
        return in_liver(anatomy, x, y, z) & ((from_kidney**2).sum(axis=-1) > 1)

    def draw() -> Lesion | None:
        size = float(rng.uniform(16, 58))
        point = point_in(rng, (-90, -70, -160), (125, 75, 0), free, radius=0.9 * size / 2 / anatomy.frame)
        if point is None:
            return None
        part = "left" if point[0] < 22 else "right"
        return Lesion("liver_lesion", size, part, f"{part} hepatic lobe", triple(map(float, point)), stretch(rng))

    return several_apart(rng, draw, 4)


def _steatosis(anatomy: Anatomy, rng: np.random.Generator, earlier: Sequence[Lesion]) -> list[Lesion]:
    return [Lesion("hepatic_steatosis", float(rng.uniform(38, 62)))]


def _spleen(anatomy: Anatomy, rng: np.random.Generator, earlier: Sequence[Lesion]) -> list[Lesion]:
    return [Lesion("splenomegaly", float(rng.uniform(135, 172)))]


def _kidney(
    anatomy: Anatomy, rng: np.random.Generator, finding: str, sizes: tuple[float, float], out: float
) -> Lesion:
    side = 1 if rng.uniform() < 0.5 else -1
    centre, radii, rotation = kidney_pose(anatomy, side)
    pole = int(rng.integers(-1, 2))
    size = float(rng.uniform(*sizes))
    # `out` is the way from the sinus to the outer border, in half axes.
    offset = np.array([side * out * (0.75 if pole else 1.0), 0.1, 0.62 * pole]) * radii
    place = {1: "upper pole", 0: "interpolar region", -1: "lower pole"}[pole]
    return Lesion(finding, size, SIDE[side], place, triple(map(float, centre + rotation @ offset)), stretch(rng))


def _stones(anatomy: Anatomy, rng: np.random.Generator, earlier: Sequence[Lesion]) -> list[Lesion]:
    return several_apart(rng, lambda: _kidney(anatomy, rng, "kidney_stone", (10, 20), -0.15), 3)


def _cysts(anatomy: Anatomy, rng: np.random.Generator, earlier: Sequence[Lesion]) -> list[Lesion]:
    return several_apart(rng, lambda: _kidney(anatomy, rng, "kidney_cyst", (22, 62), 0.8), 3)


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
