"""Random changes of a training crop that keep what it shows."""

from collections.abc import Sequence

from monai.transforms import RandFlipd, RandScaleIntensityd, RandShiftIntensityd, Transform


def flips_and_jitter(keys: Sequence[str], *, flip: Sequence[float], jitter: float) -> list[Transform]:
    """Mirrored axes for all keys; scaled and shifted intensities for ``image``.

    Args:
        keys: ``image``, and ``label`` where there is one.
        flip: probability of mirroring each axis; a mirrored chest has its heart on the right.
        jitter: intensities, 0 to 1, are scaled by up to 1 +- this and shifted by up to this, each every other time.
    """
    return [
        *(RandFlipd(keys, prob=share, spatial_axis=axis) for axis, share in enumerate(flip)),
        RandScaleIntensityd("image", factors=jitter, prob=0.5),
        RandShiftIntensityd("image", offsets=jitter, prob=0.5),
    ]
