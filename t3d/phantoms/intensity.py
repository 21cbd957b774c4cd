"""From tissues to Hounsfield units: contrast phase, texture, blur and noise of a CT."""

import numpy as np
from scipy.ndimage import gaussian_filter1d, zoom

from t3d.phantoms.body import build_torso
from t3d.phantoms.lesions import aneurysm_of, paint_lesions
from t3d.phantoms.study import Study
from t3d.phantoms.tissues import Tissue, label_lookup

PLAIN = {
    Tissue.AIR: -1000,
    Tissue.FAT: -102,
    Tissue.MUSCLE: 52,
    Tissue.LUNG_RIGHT: -852,
    Tissue.LUNG_LEFT: -852,
    Tissue.HEART: 42,
    Tissue.MYOCARDIUM: 50,
    Tissue.AORTA: 44,
    Tissue.VEIN: 42,
    Tissue.LIVER: 60,
    Tissue.SPLEEN: 50,
    Tissue.KIDNEY_RIGHT: 33,
    Tissue.KIDNEY_LEFT: 33,
    Tissue.MARROW: 210,
    Tissue.CORTEX: 520,
    Tissue.DISC: 85,
    Tissue.CANAL: 25,
    Tissue.RIB: 480,
    Tissue.STERNUM: 260,
    Tissue.STOMACH: 25,
    Tissue.STOMACH_GAS: -980,
    Tissue.TRACHEA: -990,
    Tissue.BOWEL: 32,
    Tissue.BOWEL_GAS: -900,
    Tissue.GALLBLADDER: 8,
    Tissue.PANCREAS: 40,
    Tissue.SOFT: 38,
    Tissue.CARTILAGE: 130,
    Tissue.SHOULDER_BONE: 420,
}
ENHANCED = PLAIN | {
    Tissue.HEART: 150,
    Tissue.MYOCARDIUM: 105,
    Tissue.AORTA: 160,
    Tissue.VEIN: 145,
    Tissue.LIVER: 108,
    Tissue.SPLEEN: 122,
    Tissue.KIDNEY_RIGHT: 178,
    Tissue.KIDNEY_LEFT: 178,
    Tissue.PANCREAS: 92,
    Tissue.MUSCLE: 60,
    Tissue.BOWEL: 55,
}
"""Typical adult values without contrast and in the portal venous phase (textbook ranges, rounded)."""

TEXTURE = {
    Tissue.FAT: 7,
    Tissue.MUSCLE: 9,
    Tissue.LUNG_RIGHT: 20,
    Tissue.LUNG_LEFT: 20,
    Tissue.LIVER: 5,
    Tissue.SPLEEN: 4,
    Tissue.MARROW: 35,
    Tissue.CORTEX: 60,
    Tissue.RIB: 60,
    Tissue.BOWEL: 12,
}
TEXTURE_SIZE_MM = 14.0
BLUR_VOXELS = 0.6
EMPHYSEMA_DROP = 45


def render(
    study: Study, shape: tuple[int, int, int], rng: np.random.Generator, *, noise_sd: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The CT of a study.

    Args:
        study: anatomy and lesions.
        shape: voxels in R, A, S order.
        rng: generator of texture and noise.
        noise_sd: standard deviation of the noise in HU.

    Returns:
        image (X, Y, Z) int16 in HU, labels (X, Y, Z) uint8, spacing (3,) mm, position (3,) mm of the first
        voxel, all in RAS order.
    """
    grid, vessels = build_torso(study.anatomy, shape, aneurysm=aneurysm_of(study))
    table = ENHANCED if study.contrast else PLAIN
    values = np.array([table[tissue] for tissue in Tissue], np.float32)
    steatosis = study.of("hepatic_steatosis")
    if steatosis:
        values[Tissue.LIVER] -= steatosis[0].size_mm
    if study.of("emphysema"):
        values[[Tissue.LUNG_RIGHT, Tissue.LUNG_LEFT]] -= EMPHYSEMA_DROP
    amplitude = np.array([TEXTURE.get(tissue, 0) for tissue in Tissue], np.float32)
    texture = _texture(rng, shape, grid.spacing)
    hu = values[grid.tissue] + amplitude[grid.tissue] * texture
    hu += vessels * (values[Tissue.HEART] - hu)
    labels = label_lookup()[grid.tissue]
    paint_lesions(study, grid, hu, labels, texture)
    hu += (noise_sd / _blur_gain()) * rng.standard_normal(shape, np.float32)
    for axis in range(3):
        hu = gaussian_filter1d(hu, BLUR_VOXELS, axis=axis, truncate=3.0)
    image = np.clip(np.rint(hu), -1024, 3071).astype(np.int16)
    return image, labels, grid.spacing, grid.first


def _texture(rng: np.random.Generator, shape: tuple[int, int, int], spacing: np.ndarray) -> np.ndarray:
    coarse = np.maximum(2, np.ceil(np.asarray(shape) * spacing / TEXTURE_SIZE_MM).astype(int))
    coarse = np.minimum(coarse, shape)
    field = rng.standard_normal(tuple(coarse), np.float32)
    return zoom(field, np.asarray(shape) / coarse, order=1, mode="nearest").astype(np.float32)


def _blur_gain() -> float:
    """What the blur leaves of white noise's standard deviation."""
    impulse = np.zeros(9)
    impulse[4] = 1
    return float((gaussian_filter1d(impulse, BLUR_VOXELS, truncate=3.0) ** 2).sum() ** 1.5)
