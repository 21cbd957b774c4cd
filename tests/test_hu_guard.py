import functools

import nibabel as nib
import numpy as np
import pytest

from t3d.errors import T3DError
from t3d.volume.hu_guard import hu_doubt, refuse_no_hu
from t3d.volume.voxel_histogram import VoxelHistogram

CTS = (
    "elastix_lung/ct.nii.gz",
    "elastix_lung/ct_baseline_small.nii.gz",
    "lidc_0314_chest/ct_2p5mm.nii.gz",
    "lidc_0314_chest/nodule_crop_native_ct.nii.gz",
    "totalseg_thoracic_aorta_1p5mm/ct.nii.gz",
    "totalseg_torso_3mm/ct.nii.gz",
    "totalseg_torso_3mm/ct_sm30.nii.gz",
    "totalseg_body_dicom20/ct.nii.gz",
)


@functools.cache
def real(path) -> np.ndarray:
    return np.asarray(nib.load(path).dataobj).astype(np.int32)


def kind(values) -> str | None:
    histogram = VoxelHistogram()
    histogram.add(values)
    doubt = hu_doubt(histogram)
    return doubt and doubt.kind


def thirds(volume: np.ndarray) -> np.ndarray:
    return np.stack([volume[:, :, int(part * volume.shape[2])] for part in (0.25, 0.5, 0.75)])


def window(volume, low, high):
    return np.clip((volume - low) / (high - low), 0, 1)


def padded(volume, value):
    """The corners outside a round field of view, as GE scanners write them."""
    x, y = (np.linspace(-1, 1, side) for side in volume.shape[:2])
    return np.where(((x[:, None] ** 2 + y[None] ** 2) > 1)[..., None], value, volume)


PROPER = {
    "as it is": lambda v: v,
    "clipped to [-1000, 1000]": lambda v: v.clip(-1000, 1000),
    "clipped to [-1024, 3071]": lambda v: v.clip(-1024, 3071),
    "padded with -2000": lambda v: padded(v, -2000),
    "padded with -3024": lambda v: padded(v, -3024),
    "resampled": lambda v: (v[:-1].astype(np.float32) + v[1:]) / 2,
}
FAULTS = {
    "rescaled twice": ("rescaled twice", lambda v: v - 1024),
    "rescaled twice, padded": ("rescaled twice", lambda v: padded(v, -2000) - 1024),
    "no intercept": ("no intercept", lambda v: v + 1024),
    "no intercept, cut at 0": ("no intercept", lambda v: (v + 1000).clip(0, 4095)),
    "no intercept, padded": ("no intercept", lambda v: padded(v + 1024, -2000)),
    "8-bit, soft tissue window": ("8-bit", lambda v: np.rint(255 * window(v, -160, 240)).astype(np.uint8)),
    "8-bit, wide window": ("8-bit", lambda v: np.rint(255 * window(v, -1000, 1000))),
    "8-bit, scaled back": ("grey levels", lambda v: np.rint(255 * window(v, -1000, 1000)) / 255 * 2000 - 1000),
    "scaled to [0, 1]": ("range", lambda v: window(v, -1000, 1000)),
    "soft tissue window": ("windowed", lambda v: v.clip(-160, 240)),
    "wide soft tissue window": ("windowed", lambda v: v.clip(-450, 550)),
    "slope of 2 applied twice": ("scaled", lambda v: v * 2),
    "constant": ("range", lambda v: np.zeros_like(v)),
    "float overflow": ("beyond int16", lambda v: v * 1e3),
    # air dark, fat bright, and nothing negative
    "like MR": ("MR", lambda v: 900 * np.exp(-(((v + 100) / 150.0) ** 2)) + 30 * (v > -800) * (v % 7)),
}


@pytest.mark.parametrize("how", PROPER)
def test_real_ct_passes(shared_data, how):
    for name in CTS:
        volume = real(shared_data / name)
        assert kind(PROPER[how](volume)) is None, name
        assert kind(PROPER[how](thirds(volume))) is None, name


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_made_of_real_ct_are_caught(shared_data, fault):
    wanted, make = FAULTS[fault]
    for name in CTS:
        volume = real(shared_data / name)
        assert kind(make(volume)) == wanted, name
        assert kind(thirds(make(volume))) == wanted, name


@pytest.mark.parametrize("slope", [0.4, 0.5, 0.6])
def test_a_small_slope_applied_twice_is_caught(shared_data, slope):
    for name in CTS:
        assert kind(real(shared_data / name) * slope) in ("scaled", "windowed"), name


def test_padding_that_resampling_smeared_is_no_doubt(shared_data):
    for name in CTS:
        volume = padded(real(shared_data / name), -2000).astype(np.float32)
        assert kind((volume[:-1] + volume[1:]) / 2) is None, name


def test_a_slope_applied_twice_is_a_doubt_that_says_where_air_lies(shared_data):
    histogram = VoxelHistogram()
    histogram.add(real(shared_data / CTS[2]) * 2)
    doubt = refuse_no_hu(histogram, "k1")  # padding may look so: not refused
    assert not doubt.sure and "air seems to lie at -1978, not at -1000" in doubt.evidence and "slope" in doubt.evidence


def test_phantoms_pass(cohort):
    for path in sorted((cohort / "images").iterdir()):
        assert kind(np.asarray(nib.load(path).dataobj)) is None, path.name


def test_body_without_air_inside_passes_with_air_around():
    noise = np.random.default_rng(0).normal(0, 15, (40, 40, 40))
    values = np.full((40, 40, 40), -1000.0)
    values[8:32, 8:32, 8:32] = 60
    assert kind(values + noise) is None
    crop = (values + noise)[10:30, 10:30, 10:30] - 60  # a block of soft tissue is doubted, not refused
    histogram = VoxelHistogram()
    histogram.add(crop)
    doubt = refuse_no_hu(histogram, "k1")
    assert doubt.kind == "no air" and not doubt.sure


def test_refusal_names_case_evidence_and_override():
    histogram = VoxelHistogram()
    values = np.r_[np.full(600, 24), np.full(400, 1064), np.full(10, 2000)]
    histogram.add(values)
    with pytest.raises(T3DError, match=r"case k7: no HU: .*39\.6 % .*intercept.*--allow_no_hu True"):
        refuse_no_hu(histogram, "k7")
    assert refuse_no_hu(histogram, "k7", allow=True).kind == "no intercept"


def test_no_voxels_are_no_doubt():
    assert kind(np.zeros(0)) is None and kind(np.full(3, np.nan)) is None
