"""One patient's anatomy as numbers: habitus and the size and place of each organ, all varying."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Anatomy:
    """Everything that is drawn once per patient.

    Lengths are in reference mm, or in the patient's mm where the name ends in `_mm`.

    Attributes:
        frame: (3,) stretch of the reference torso in x, y, z.
        fat_mm: thickness of the subcutaneous fat.
        dome_curve, left_dome_drop: shape of the diaphragm.
        heart_scale, heart_centre, heart_axis: size, place and direction of the heart.
        aorta_mm: (3,) diameters of the ascending, descending and abdominal aorta.
        arch_height: top of the aortic arch.
        liver_length, liver_left: craniocaudal length and how far the left lobe reaches.
        spleen_length, kidney_length: (right, left) for the kidneys.
        spleen_shift, kidney_shift: (3,) and (2, 3) displacements.
        kyphosis, scoliosis, vertebra_phase: curve of the spine and where its vertebrae begin.
        stomach, gas: size of the stomach relative to the reference and share of it that is gas.
        shape_seed: key of details that no report mentions (vessel trees, bowel loops).
    """

    frame: np.ndarray
    fat_mm: float
    dome_curve: float
    left_dome_drop: float
    heart_scale: float
    heart_centre: np.ndarray
    heart_axis: np.ndarray
    aorta_mm: np.ndarray
    arch_height: float
    liver_length: float
    liver_left: float
    spleen_length: float
    spleen_shift: np.ndarray
    kidney_length: np.ndarray
    kidney_shift: np.ndarray
    kyphosis: float
    scoliosis: float
    vertebra_phase: float
    stomach: float
    gas: float
    shape_seed: int

    @property
    def heart_radii(self) -> np.ndarray:
        """(3,) half axes of the heart, the long axis first; a large heart is longer rather than thicker."""
        return np.array([66.0, 48.0, 45.0]) * self.heart_scale ** np.array([1.0, 0.4, 0.4])

    @property
    def heart_rotation(self) -> np.ndarray:
        """(3, 3) axes of the heart as columns, the long axis (base to apex) first."""
        long = self.heart_axis / np.linalg.norm(self.heart_axis)
        second = np.cross(long, [0.0, 0.0, 1.0])
        second /= np.linalg.norm(second)
        return np.stack([long, second, np.cross(long, second)], axis=1)

    @property
    def heart_width(self) -> float:
        """Transverse diameter of the heart."""
        return 2 * float(np.linalg.norm(self.heart_rotation[0] * self.heart_radii))


def draw_anatomy(rng: np.random.Generator) -> Anatomy:
    """A patient without disease; the ranges are ours, within the normal adult ranges of the organ sizes."""
    size = rng.normal(0, 0.045)
    frame = np.array([1.0, 1.0, 1.0]) + size + rng.normal(0, [0.04, 0.06, 0.035])
    return Anatomy(
        frame=np.clip(frame, [0.86, 0.84, 0.88], [1.15, 1.18, 1.12]),
        fat_mm=float(np.clip(rng.gamma(2.6, 8.0), 5, 55)),
        dome_curve=rng.uniform(40, 64),
        left_dome_drop=rng.uniform(4, 24),
        heart_scale=rng.uniform(0.88, 1.05),
        heart_centre=np.array([-28.0, 18.0, 40.0]) + rng.normal(0, [6, 4, 5]),
        heart_axis=np.array([-0.75, 0.45, -0.45]) + rng.normal(0, 0.09, 3),
        aorta_mm=np.array([31.0, 25.0, 20.0]) * rng.uniform(0.86, 1.14),
        arch_height=rng.uniform(116, 138),
        liver_length=rng.uniform(122, 172),
        liver_left=rng.uniform(35, 100),
        spleen_length=rng.uniform(80, 118),
        spleen_shift=rng.normal(0, [4, 6, 8]),
        kidney_length=rng.uniform(92, 122, 2),
        kidney_shift=rng.normal(0, [4, 3, 9], (2, 3)),
        kyphosis=rng.uniform(4, 14),
        scoliosis=rng.normal(0, 5),
        vertebra_phase=rng.uniform(0, 1),
        stomach=rng.uniform(0.7, 1.3),
        gas=rng.uniform(0.15, 0.7),
        shape_seed=int(rng.integers(2**31)),
    )
