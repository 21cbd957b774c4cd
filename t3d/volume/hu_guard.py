"""Whether voxel values can be Hounsfield units, and if not, what they probably are.

The rules are ours. In HU air is near -1000 and soft tissue between -150 and 150, whatever was scanned; so the shares
of the voxels in these bands tell a lost or doubled rescale from a CT. The thresholds were set on six real CTs and on
faults made of them (``tests/test_hu_guard.py``). False alarms cost the user more than a missed oddity: what CT can
look like when cropped, padded or clipped to [-1000, 1000] passes.
"""

from typing import NamedTuple

import numpy as np

from t3d.errors import T3DError
from t3d.volume.voxel_histogram import HIGHEST, LOWEST, VoxelHistogram

LEAST_RANGE_HU = 50.0  # air to soft tissue spans 1000 HU
FEW_LEVELS = (32, 256)  # fewer are a drawing, of a phantom for example
LEAST_VOXELS = 4096  # below it too few voxels to count grey levels
PILE = 50  # voxels of one value that are no chance


class HuDoubt(NamedTuple):
    """Why a volume's values are probably no HU.

    Attributes:
        kind: "rescaled twice", "scaled", "no intercept", "8-bit", "grey levels", "windowed", "MR", "range",
            "beyond int16", "no air" or "no tissue".
        evidence: what was found and what it means.
        sure: false where a crop, a mask or a padded copy of a proper CT may look the same ("no air", "no tissue",
            "scaled").
    """

    kind: str
    evidence: str
    sure: bool = True


def hu_doubt(histogram: VoxelHistogram) -> HuDoubt | None:
    """What speaks against HU, or None.

    Args:
        histogram: of the whole volume or of some of its slices.
    """
    if not histogram.size:
        return None  # loading refuses volumes without a finite voxel and says why
    voxels = histogram.without_padding()
    low, high = histogram.low, histogram.high
    if high > 32767 or low < -32768:
        ends = voxels.share(LOWEST, LOWEST) + voxels.share(HIGHEST, HIGHEST)
        # a few voxels of metal may overflow: they are saturated when stored
        return HuDoubt("beyond int16", f"values from {low:g} to {high:g} are beyond any HU", sure=ends > 0.01)
    if high - low < LEAST_RANGE_HU:
        return HuDoubt("range", f"values from {low:g} to {high:g}: nearly constant, or scaled to a small range")
    if low >= 0 and high <= 255:
        return HuDoubt("8-bit", f"values from {low:g} to {high:g}: an 8-bit export, not HU")
    if _has_few_levels(voxels):
        levels = f"only {voxels.levels()} different values between {low:g} and {high:g}"
        return HuDoubt("grey levels", f"{levels}: an 8-bit export scaled back, not HU")
    return _shifted(voxels) or _windowed(voxels) or _scaled(voxels) or _one_sided(voxels)


def refuse_no_hu(histogram: VoxelHistogram, case: str, *, allow: bool = False) -> HuDoubt | None:
    """Refuse a volume whose values are surely no HU.

    Args:
        histogram: of its voxels.
        case: for the message.
        allow: let it pass.

    Returns:
        The doubt where it is not sure or allowed, for a warning; None where the values can be HU.

    Raises:
        T3DError: with the evidence and the override.
    """
    doubt = hu_doubt(histogram)
    if doubt is not None and doubt.sure and not allow:
        raise T3DError(f"case {case}: no HU: {doubt.evidence}; {remedy(doubt)}, or pass --allow_no_hu True")
    return doubt


def remedy(doubt: HuDoubt) -> str:
    """What to do about it."""
    return _REMEDIES.get(doubt.kind, "export the CT in HU again")


_REMEDIES = {
    "rescaled twice": "convert the DICOM series again, applying slope and intercept once",
    "no intercept": "convert the DICOM series again, applying slope and intercept",
    "scaled": "convert the DICOM series again, applying slope and intercept once",
    "MR": "take it out of the datalist if it is no CT, else export it in HU again",
    "no air": "look at the case; a crop of soft tissue may look so",
    "no tissue": "look at the case; a crop or mask of the lungs may look so",
}


def _has_few_levels(voxels: VoxelHistogram) -> bool:
    """Whether the values are few and apart from each other, as 8 bits stretched over a wider range are."""
    there = np.flatnonzero(voxels.counts)
    if not FEW_LEVELS[0] <= there.size <= FEW_LEVELS[1] or voxels.size < LEAST_VOXELS:
        return False
    return float((np.diff(there) == 1).mean()) < 0.1


def _shifted(voxels: VoxelHistogram) -> HuDoubt | None:
    """Values that lie one intercept too low or too high."""
    tissue, below = voxels.share(-200, 400), voxels.share(-5000, -1250)
    if tissue < 0.03 and below > 0.03:
        return HuDoubt(
            "rescaled twice",
            f"{_percent(below)} of the voxels are below -1250 (lowest {voxels.low:g}) and only {_percent(tissue)} "
            f"between -200 and 400, where soft tissue is; median {voxels.percentile(50):g}: the rescale intercept was "
            "applied twice",
        )
    shifted, valley = voxels.share(850, 1250), voxels.share(500, 700)
    # bands of 400 and 200: a real soft tissue peak is much denser than what lies between it and air
    if voxels.share(-5000, -200) < 0.001 and shifted > 0.1 and valley < shifted / 4:
        return HuDoubt(
            "no intercept",
            f"nothing is below -200 where air is, and {_percent(shifted)} of the voxels lie between 850 and 1250 "
            f"(lowest {voxels.low:g}): a CT stored without its rescale intercept",
        )
    return None


def _scaled(voxels: VoxelHistogram) -> HuDoubt | None:
    """Air that lies at a multiple of -1000: the rescale slope was applied twice, or not at all."""
    below = voxels.counts[: -300 - LOWEST]
    peak = int(np.argmax(np.convolve(below, np.ones(41), mode="same"))) + LOWEST
    air = voxels.share(peak - 100, peak + 100)
    if air < 0.05 or voxels.share(-5000, peak - 250) > 0.05 or -1250 < peak < -750:
        return None
    if peak < -1250 and voxels.share(-1150, -750) > 0.3 * air:
        return None  # padding that was smeared by resampling, beside air where it belongs
    if peak > -750 and voxels.low < -850:
        return None  # lungs without the air around the patient
    return HuDoubt(
        "scaled",
        f"air seems to lie at {peak}, not at -1000 ({_percent(air)} of the voxels are near it, lowest "
        f"{voxels.low:g}): the rescale slope was applied twice or not at all",
        sure=False,
    )


def _windowed(voxels: VoxelHistogram) -> HuDoubt | None:
    """Values cut at the ends of a display window, seen as a pile at an end that no tissue has."""
    if voxels.share(-5000, -10) < 0.001:
        return None  # no negative values: said by `_one_sided`
    for end, odd, least in ((voxels.low, voxels.low > -800, 0.02), (voxels.high, voxels.high < 900, 0.003)):
        pile = voxels.share(end, end)
        if odd and pile >= least and pile * voxels.size >= PILE:
            return HuDoubt(
                "windowed",
                f"{_percent(pile)} of the voxels are exactly {end:g}, the {'lowest' if end < 0 else 'highest'} value "
                f"(range {voxels.low:g} to {voxels.high:g}): cut to a display window",
            )
    return None


def _one_sided(voxels: VoxelHistogram) -> HuDoubt | None:
    span = f"values from {voxels.low:g} to {voxels.high:g}"
    if voxels.share(-5000, -10) < 0.001:
        meaning = "no air is in it and nothing below 0: MR, or a CT stored without its rescale intercept"
        return HuDoubt("MR", f"{span}, median {voxels.percentile(50):g}: {meaning}")
    # not a share: the air of a crop may be a bubble
    if voxels.low > -200:
        return HuDoubt("no air", f"{span}: no air is in it", sure=False)
    tissue = voxels.share(-200, 400)
    if tissue < 0.005:
        return HuDoubt("no tissue", f"{span}, only {_percent(tissue)} of them from -200 to 400", sure=False)
    return None


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
