"""95 % intervals from resampling patients: the cases of a patient are not independent, so patients are drawn."""

from collections.abc import Callable

import numpy as np

RESAMPLES = 2000
PERCENTILES = (2.5, 97.5)


def bootstrap_mean(values: np.ndarray, groups: np.ndarray) -> tuple[float | None, list[float] | None]:
    """Mean of the finite values and its 95 % interval (percentile bootstrap, seeded).

    Args:
        values: (N,), NaN where there is none.
        groups: (N,) patients, numbers or strings.

    Returns:
        The mean and [low, high], or (None, None) without a finite value.
    """
    values, groups = np.asarray(values, dtype=float), np.asarray(groups)
    finite = np.isfinite(values)
    if not finite.any():
        return None, None
    _, place = np.unique(groups[finite], return_inverse=True)
    sums = np.bincount(place, weights=values[finite])
    counts = np.bincount(place)
    picks = np.random.default_rng(0).integers(0, len(sums), (RESAMPLES, len(sums)))
    means = sums[picks].sum(axis=1) / counts[picks].sum(axis=1)
    return float(values[finite].mean()), [float(bound) for bound in np.percentile(means, PERCENTILES)]


def bootstrap_statistic(
    statistic: Callable[..., float],
    arrays: tuple[np.ndarray, ...],
    groups: np.ndarray,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[float | None, list[float] | None]:
    """Value of any statistic and its 95 % interval (percentile bootstrap over groups).

    Args:
        statistic: takes the arrays, returns a number; NaN where it is not defined (AUROC of one class only).
        arrays: each (N, ..), resampled together.
        groups: (N,) patients, numbers or strings.
        resamples: draws of as many patients as there are.
        seed: of the draws.

    Returns:
        The value and [low, high] over the draws where it is defined; (None, None) where the value itself is not,
        (value, None) where fewer than half of the draws are.
    """
    value = float(statistic(*arrays))
    if not np.isfinite(value):
        return None, None
    _, place = np.unique(np.asarray(groups), return_inverse=True)
    members = [np.flatnonzero(place == group) for group in range(place.max() + 1)]
    random = np.random.default_rng(seed)
    draws = []
    for _ in range(resamples):
        picked = random.integers(0, len(members), len(members))
        rows = np.concatenate([members[group] for group in picked])
        draws.append(float(statistic(*(array[rows] for array in arrays))))
    defined = np.asarray(draws)[np.isfinite(draws)]
    if len(defined) < resamples / 2:
        return value, None
    return value, [float(bound) for bound in np.percentile(defined, PERCENTILES)]
