"""AUROC and average precision of many resamples of patients at once, paired between the scores compared."""

import numpy as np


def patient_weights(patients: np.ndarray, *, resamples: int, seed: int = 0) -> np.ndarray:
    """How often each case counts: once in row 0, then as often as its patient was drawn.

    The same patients in the same order give the same weights, so that everything computed with them is paired.

    Args:
        patients: (N,) names.
        resamples: R draws of as many patients as there are, with replacement.
        seed: of the draws.

    Returns:
        (R + 1, N) float32.
    """
    _, place = np.unique(np.asarray(patients), return_inverse=True)
    count = int(place.max()) + 1
    picks = np.random.default_rng(seed).integers(0, count, (resamples, count))
    drawn = np.stack([np.bincount(row, minlength=count) for row in picks]) if resamples else np.zeros((0, count))
    return np.concatenate([np.ones((1, len(place))), drawn[:, place]]).astype(np.float32)


def weighted_ranking(
    scores: np.ndarray, labels: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """AUROC, average precision and prevalence of one finding under each row of weights, as mean over draws.

    Every positive is compared with every case once, and a resample only counts the comparisons: products of
    matrices in place of R sorts. Ties count half in the AUROC and are called together in the precision, as in
    ``t3d.metrics.classification``.

    Args:
        scores: (D, N) of D draws; draws with NaN are left out.
        labels: (N,) 0, 1 or NaN (left out).
        weights: (R, N).

    Returns:
        Three (R,), NaN where a class is missing or every draw has NaN.
    """
    known = np.isfinite(labels)
    scores, positive = scores[:, known], labels[known] == 1
    weights = weights[:, known]
    of_positives, of_negatives = weights[:, positive], weights[:, ~positive]
    total, others = of_positives.sum(axis=1), of_negatives.sum(axis=1)
    used = [draw for draw in scores if np.isfinite(draw).all()]
    undefined = np.full(len(weights), np.nan)
    if not used or not positive.any() or positive.all():
        return undefined, undefined, undefined
    wins = np.zeros((int(positive.sum()), int((~positive).sum())), dtype=np.float32)
    precision = np.zeros(len(weights))
    for draw in used:
        high, low = draw[positive], draw[~positive]
        above = (high[:, None] > low).astype(np.float32)
        equal = (high[:, None] == low).astype(np.float32)
        wins += above + equal / 2
        # positives and negatives that are called when the score of a positive is the threshold
        hits = of_positives @ (high[:, None] >= high).astype(np.float32)
        alarms = of_negatives @ (low[:, None] >= high).astype(np.float32)
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = np.where(of_positives > 0, of_positives * hits / (hits + alarms), 0)
            precision += shares.sum(axis=1, dtype=np.float64) / total
    with np.errstate(invalid="ignore", divide="ignore"):
        area = ((of_positives @ wins) * of_negatives).sum(axis=1, dtype=np.float64) / (total * others) / len(used)
        defined = (total > 0) & (others > 0)
        prevalence = total / (total + others)
    missing = np.where(defined, 0.0, np.nan)
    return area + missing, precision / len(used) + missing, prevalence + missing


def skill(precision: np.ndarray, prevalence: np.ndarray) -> np.ndarray:
    """Average precision on a scale where 0 is chance and 1 is perfect: (AP - prevalence) / (1 - prevalence)."""
    return (precision - prevalence) / (1 - prevalence)


def weighted_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean over cases (N, F) with a value, under each row of weights (R, N): (R, F); NaN where none has one."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (weights @ np.where(known, values, 0)) / (weights @ known.astype(np.float32))
