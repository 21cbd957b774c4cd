"""Lesions painted into the Hounsfield volume and the label volume."""

from collections.abc import Sequence

import numpy as np

from t3d.phantoms.chest import aorta_path
from t3d.phantoms.grid import Grid
from t3d.phantoms.study import Lesion, Study
from t3d.phantoms.tissues import LABELS, Tissue
from t3d.phantoms.torso import BACK_DEPTH, in_cavity
from t3d.triple import triple

LUNGS = (Tissue.LUNG_RIGHT, Tissue.LUNG_LEFT)
LUNG_OF = {"right": Tissue.LUNG_RIGHT, "left": Tissue.LUNG_LEFT}
AROUND_KIDNEY = (
    Tissue.KIDNEY_RIGHT, Tissue.KIDNEY_LEFT, Tissue.FAT, Tissue.LIVER, Tissue.SPLEEN, Tissue.PANCREAS,
    Tissue.BOWEL, Tissue.BOWEL_GAS, Tissue.STOMACH, Tissue.STOMACH_GAS,
)  # fmt: skip


def paint_lesions(study: Study, grid: Grid, hu: np.ndarray, labels: np.ndarray, texture: np.ndarray) -> None:
    """Paint every lesion of a study in place.

    Args:
        study: what to paint.
        grid: the tissues, unchanged.
        hu: (X, Y, Z) float32.
        labels: (X, Y, Z) uint8.
        texture: (X, Y, Z) float32 smooth noise of unit size, for the ragged edge of a consolidation.
    """
    # What fills a whole region comes first, so that a nodule in an effusion keeps its label.
    for lesion in sorted(study.lesions, key=lambda one: one.finding in ("lung_nodule", "kidney_stone")):
        name = lesion.finding
        if name == "lung_nodule":
            _ball(grid, hu, labels, lesion, 40, LUNGS)
        elif name == "emphysema":
            _ball(grid, hu, labels, lesion, -985, LUNGS)
        elif name == "consolidation":
            _consolidation(grid, hu, labels, lesion, texture)
        elif name == "pleural_effusion":
            _pleural_effusion(grid, hu, labels, lesion)
        elif name == "pericardial_effusion":
            _pericardial_effusion(study, grid, hu, labels, lesion)
        elif name == "liver_lesion":
            _ball(grid, hu, labels, lesion, 38 if study.contrast else 8, (Tissue.LIVER,))
        elif name == "kidney_cyst":
            _ball(grid, hu, labels, lesion, 4, AROUND_KIDNEY)
        elif name == "kidney_stone":
            _ball(grid, hu, labels, lesion, 1200, None)
    calcifications = study.of("aortic_calcification")
    if calcifications:
        _calcifications(study, grid, hu, labels, calcifications)


def _ball(
    grid: Grid, hu: np.ndarray, labels: np.ndarray, lesion: Lesion, value: float, over: Sequence[Tissue] | None
) -> None:
    """An ellipsoid with an edge as soft as a voxel, so that its size shows below the voxel size."""
    radii_mm = lesion.size_mm / 2 * np.asarray(lesion.stretch)
    reach = 1 + grid.spacing.max() / radii_mm.min()
    box, squared = grid.ellipsoid(lesion.point, radii_mm / grid.frame, reach=reach)
    share = np.clip((1 - np.sqrt(squared)) * radii_mm.min() / np.cbrt(grid.spacing.prod()) + 0.5, 0, 1)
    if over is not None:
        share = share * np.isin(grid.tissue[box], over)
    hu[box] += share.astype(np.float32) * (value - hu[box])
    labels[box][share >= 0.5] = LABELS[lesion.finding]


def _consolidation(grid: Grid, hu: np.ndarray, labels: np.ndarray, lesion: Lesion, texture: np.ndarray) -> None:
    radii = lesion.size_mm / 2 * np.asarray(lesion.stretch) / grid.frame
    box, squared = grid.ellipsoid(lesion.point, radii, reach=1.4)
    ragged = np.sqrt(squared) + 0.16 * texture[box]
    share = np.clip((1.08 - ragged) / 0.25, 0, 1) * np.isin(grid.tissue[box], LUNGS)
    hu[box] += share * (np.float32(10) - 60 * np.abs(texture[box]) - hu[box])
    labels[box][share >= 0.5] = LABELS["consolidation"]


def _pleural_effusion(grid: Grid, hu: np.ndarray, labels: np.ndarray, lesion: Lesion) -> None:
    """Fluid in the back of a supine patient's chest, thickest at the base, creeping up along the wall."""
    thick = lesion.size_mm / grid.frame[1]
    height = 80 + 1.6 * thick
    x, y, z = grid.x, grid.y, grid.z
    up = np.clip((z + 15) / height, 0, 1)
    layer = (thick + 7 * ((np.abs(x) - 60) / 60) ** 2) * np.sqrt(1 - up)
    fluid = (y < -BACK_DEPTH + 3 + layer) & (grid.tissue == LUNG_OF[lesion.side])
    hu[fluid] = 10
    labels[fluid] = LABELS["pleural_effusion"]


def _pericardial_effusion(study: Study, grid: Grid, hu: np.ndarray, labels: np.ndarray, lesion: Lesion) -> None:
    anatomy = study.anatomy
    thickness = lesion.size_mm / grid.frame.mean()
    box, squared = grid.ellipsoid(anatomy.heart_centre, anatomy.heart_radii + thickness, anatomy.heart_rotation)
    within = (squared < 1) & in_cavity(*grid.axes(box), margin=2.0) & np.isin(grid.tissue[box], (*LUNGS, Tissue.FAT))
    hu[box][within] = 12
    labels[box][within] = LABELS["pericardial_effusion"]


def _calcifications(study: Study, grid: Grid, hu: np.ndarray, labels: np.ndarray, lesions: list[Lesion]) -> None:
    """Plaques on the wall, placed by their share of the aorta's length and their angle around it."""
    starts, ends, radii = aorta_path(study.anatomy, widen=aneurysm_of(study))
    for lesion in lesions:
        along, around, _ = lesion.point
        at = int((0.22 + 0.62 * along) * len(radii))
        tangent = ends[at] - starts[at]
        across = np.cross(tangent, [1.0, 0.3, 0.2])
        across /= np.linalg.norm(across)
        second = np.cross(tangent / np.linalg.norm(tangent), across)
        angle = 2 * np.pi * around
        wall = (np.cos(angle) * across + np.sin(angle) * second) * (radii[at] - 1) / grid.frame
        plaque = Lesion(lesion.finding, lesion.size_mm, centre=triple(starts[at] + wall))
        _ball(grid, hu, labels, plaque, 900, None)


def aneurysm_of(study: Study) -> tuple[str, float] | None:
    """The study's aneurysm as `aorta_path` takes it."""
    found = study.of("aortic_aneurysm")
    return (found[0].place, found[0].size_mm) if found else None
