"""One case: a patient on one day, with the disease that was found."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from t3d.phantoms.anatomy import Anatomy

FINDINGS = (
    "lung_nodule",
    "pleural_effusion",
    "consolidation",
    "emphysema",
    "cardiomegaly",
    "pericardial_effusion",
    "aortic_aneurysm",
    "aortic_calcification",
    "liver_lesion",
    "hepatic_steatosis",
    "splenomegaly",
    "kidney_stone",
    "kidney_cyst",
)
"""The names of every case's `findings` object, in this order."""


@dataclass(frozen=True)
class Lesion:
    """One lesion of a finding.

    Attributes:
        finding: one of `FINDINGS`.
        size_mm: diameter or thickness in mm; for cardiomegaly the cardiothoracic ratio times 100, for
            steatosis the loss of density in HU.
        side: "right", "left" or "".
        place: lobe, pole or part in words, "" if the finding has none.
        centre: (3,) reference point, or None for what has no centre.
        stretch: (3,) relative half axes.
    """

    finding: str
    size_mm: float
    side: str = ""
    place: str = ""
    centre: tuple[float, float, float] | None = None
    stretch: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @property
    def point(self) -> tuple[float, float, float]:
        """The centre of a lesion that has one.

        Raises:
            ValueError: the finding has no centre, as an effusion.
        """
        if self.centre is None:
            raise ValueError(f"{self.finding} has no centre")
        return self.centre


@dataclass(frozen=True)
class Study:
    """A case before it is rendered: everything that the image and the report say.

    Attributes:
        anatomy: the patient, organ sizes already changed by the disease.
        contrast: whether intravenous contrast was given.
        lesions: every lesion, in the order of `FINDINGS`.
    """

    anatomy: Anatomy
    contrast: bool
    lesions: tuple[Lesion, ...]

    def of(self, finding: str) -> list[Lesion]:
        """The lesions of one finding, the largest first."""
        return sorted((lesion for lesion in self.lesions if lesion.finding == finding), key=lambda one: -one.size_mm)

    @property
    def findings(self) -> dict[str, int]:
        """Finding name -> 1 if present, 0 if not; the same keys for every case."""
        present = {lesion.finding for lesion in self.lesions}
        return {name: int(name in present) for name in FINDINGS}


def with_disease(anatomy: Anatomy, lesions: Iterable[Lesion], *, cavity_width: float) -> Anatomy:
    """The anatomy with the organ sizes that its findings ask for.

    Args:
        cavity_width: inner width of the chest in reference mm, of which cardiomegaly is a share.
    """
    for lesion in lesions:
        if lesion.finding == "cardiomegaly":
            scale = _heart_scale(anatomy, lesion.size_mm / 100 * cavity_width)
            # A large heart grows to the left and down, away from spine and bronchi.
            shift = np.array([-9.0, 5.0, -7.0]) * (scale - anatomy.heart_scale) / 0.3
            anatomy = replace(anatomy, heart_scale=scale, heart_centre=anatomy.heart_centre + shift)
        elif lesion.finding == "splenomegaly":
            anatomy = replace(anatomy, spleen_length=lesion.size_mm / anatomy.frame[2])
    return anatomy


def _heart_scale(anatomy: Anatomy, width: float) -> float:
    """The scale at which the heart is `width` wide (bisection: the width grows with the scale)."""
    low, high = 0.5, 3.0
    for _ in range(40):
        middle = (low + high) / 2
        wider = replace(anatomy, heart_scale=middle).heart_width > width
        low, high = (low, middle) if wider else (middle, high)
    return (low + high) / 2
