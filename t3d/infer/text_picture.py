"""A picture of where in a volume a sentence speaks."""

import numpy as np
from matplotlib.figure import Figure

from t3d.infer.planes import draw_planes
from t3d.networks.encoders import STRIDE

BODY_LEVEL, BODY_SHARE = 0.2, 0.05  # of ``VolumeFeatures``: what of a volume decides its vectors


def text_picture(volume: np.ndarray, values: np.ndarray, *, title: str, stride: int = STRIDE) -> Figure:
    """Coronal, sagittal and axial slice through the highest token that shows body.

    What a map says of air, or of what a volume was filled up with at its end, is of no interest: tokens there do not
    decide where is cut nor what the colours mean, and the filling is not drawn.

    Args:
        volume: (X, Y, Z) in RAS, in [0, 1].
        values: (X/s, Y/s, Z/s).
        title: the case.
        stride: s.
    """
    # what was cut off of the map's last tokens counts as air
    fine = np.zeros([side * stride for side in values.shape])
    kept = tuple(slice(min(one, other)) for one, other in zip(volume.shape, fine.shape, strict=True))
    fine[kept] = volume[kept] > BODY_LEVEL
    share = fine.reshape([part for side in values.shape for part in (side, stride)]).mean(axis=(1, 3, 5))
    body = share >= BODY_SHARE
    if not body.any():
        body = np.ones_like(body)
    highest = np.unravel_index(np.where(body, values, -np.inf).argmax(), values.shape)
    seen = tuple(_filled(volume, axis) for axis in range(3))
    peak = [min(int((place + 0.5) * stride), side - 1) for place, side in zip(highest, seen, strict=True)]
    box = tuple(slice(side) for side in seen)
    said = np.kron(values, np.ones((stride,) * 3))[box]
    return draw_planes(
        volume[box],
        said,
        peak,
        title=f"{title}: where the text speaks (no detection; research only)",
        limits=(values[body].min(), values[body].max()),
        alpha=lambda part: 0.4,
    )


def _filled(volume: np.ndarray, axis: int) -> int:
    """How many voxels along an axis there are before nothing but zeros; all of an empty volume."""
    other = tuple(one for one in range(3) if one != axis)
    places = np.flatnonzero(volume.any(axis=other))
    return int(places[-1]) + 1 if len(places) else volume.shape[axis]
