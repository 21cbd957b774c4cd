"""Label values are whole numbers, also where a header's scale (0.01 as float32) turns 1 into 0.99999998."""

import numpy as np

# Ours: float32 keeps seven digits; a resampled label is off by far more.
_RELATIVE = 1e-5


def whole_numbers(values: np.ndarray) -> np.ndarray | None:
    """The values rounded, or None where some is no whole number but for rounding; integers come back as they are."""
    if values.dtype.kind in "iub":
        return values
    if not np.isfinite(values).all():
        return None
    rounded = np.rint(values)
    near = np.abs(values - rounded) <= _RELATIVE * np.maximum(1.0, np.abs(rounded))
    return rounded if near.all() else None
