"""Metrics of one finding from scores and labels. Cases with an unknown label (NaN) are left out everywhere."""

import numpy as np

BINS = 10


def known(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores and labels (both (N,)) of the cases whose label is known, labels as bool."""
    scores, labels = np.asarray(scores, dtype=float), np.asarray(labels, dtype=float)
    keep = np.isfinite(labels)
    return scores[keep], labels[keep] == 1


def auroc(scores: np.ndarray, labels: np.ndarray) -> float:
    """Area under the ROC curve: how often a positive scores above a negative, ties counted half (Mann-Whitney).

    Args:
        scores: (N,), higher means more likely positive.
        labels: (N,) 0, 1 or NaN (unknown).

    Returns:
        In [0, 1]; NaN where one class is missing.
    """
    scores, positive = known(scores, labels)
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return float("nan")
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2  # equal scores share the mean of their ranks
    wins = ranks[place][positive].sum() - positives * (positives + 1) / 2
    return float(wins / (positives * negatives))


def auprc(scores: np.ndarray, labels: np.ndarray) -> float:
    """Average precision: mean precision over the steps of recall, equal scores one step (scikit-learn's definition).

    Arguments and result as for ``auroc``; its chance level is the share of positives.
    """
    scores, positive = known(scores, labels)
    if not positive.any() or positive.all():
        return float("nan")
    hits, false_alarms, _ = _steps(scores, positive)
    recall = np.concatenate([[0.0], hits / positive.sum()])
    return float(np.sum(np.diff(recall) * hits / (hits + false_alarms)))


def roc_curve(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points of the ROC curve, from nothing called positive to everything.

    Returns:
        False-positive rates, true-positive rates and thresholds, each (T + 1,): a case is positive where its score
        is at least the threshold (the first threshold is infinite). Empty where one class is missing.
    """
    scores, positive = known(scores, labels)
    if not positive.any() or positive.all():
        return np.zeros(0), np.zeros(0), np.zeros(0)
    hits, false_alarms, thresholds = _steps(scores, positive)
    return (
        np.concatenate([[0.0], false_alarms / (~positive).sum()]),
        np.concatenate([[0.0], hits / positive.sum()]),
        np.concatenate([[np.inf], thresholds]),
    )


def sensitivity(scores: np.ndarray, labels: np.ndarray, threshold: float) -> float:
    """Share of the positives with a score of at least the threshold; NaN without positives."""
    scores, positive = known(scores, labels)
    return float((scores[positive] >= threshold).mean()) if positive.any() else float("nan")


def specificity(scores: np.ndarray, labels: np.ndarray, threshold: float) -> float:
    """Share of the negatives with a score below the threshold; NaN without negatives."""
    scores, positive = known(scores, labels)
    return float((scores[~positive] < threshold).mean()) if (~positive).any() else float("nan")


def f1(scores: np.ndarray, labels: np.ndarray, threshold: float) -> float:
    """Harmonic mean of precision and sensitivity at the threshold; NaN without positives."""
    scores, positive = known(scores, labels)
    if not positive.any():
        return float("nan")
    called = scores >= threshold
    return float(2 * (called & positive).sum() / (called.sum() + positive.sum()))


def calibration_error(scores: np.ndarray, labels: np.ndarray, *, bins: int = BINS) -> float:
    """Expected calibration error of probabilities: mean distance of score and frequency (Naeini et al. 2015).

    The scores fall into ``bins`` equal intervals of [0, 1]; each counts by its number of cases.

    Returns:
        In [0, 1]; NaN without known labels.
    """
    scores, positive = known(scores, labels)
    if not len(scores):
        return float("nan")
    place = np.clip((scores * bins).astype(int), 0, bins - 1)
    gaps = np.bincount(place, weights=scores - positive, minlength=bins)
    return float(np.abs(gaps).sum() / len(scores))


def _steps(scores: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True and false positives at each distinct score taken as threshold, from the highest score down."""
    order = np.argsort(-scores, kind="stable")
    scores, positive = scores[order], positive[order]
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)  # equal scores are called together
    hits = np.cumsum(positive)[last]
    return hits, last + 1 - hits, scores[last]
