"""One outcome under every resample of the test patients: its metrics for each target, and their mean."""

from collections.abc import Sequence

import numpy as np

from t3d.metrics.froc import RATES, Scored, sensitivity_at
from t3d.metrics.resampled import skill, weighted_mean, weighted_ranking
from t3d.study.outcome import FROC, SCORES, Outcome

Samples = dict[str, np.ndarray]  # metric -> (R + 1, F): row 0 as measured, the others of resampled patients


def resampled(one: Outcome, kept: Sequence[int], weights: np.ndarray) -> Samples:
    """Each metric (R + 1, 1 + F): first the mean over the targets, then each.

    Args:
        one: of one run.
        kept: F columns of its targets.
        weights: (R + 1, N), see ``t3d.metrics.resampled.patient_weights``.
    """
    if one.kind == SCORES:
        parts = [weighted_ranking(one.values[:, :, f], one.labels[:, f], weights) for f in kept]
        area, precision, prevalence = (np.stack(columns, axis=1) for columns in zip(*parts, strict=True))
        found = {"auroc": area, "ap": precision, "skill": skill(precision, prevalence)}
    elif one.kind == FROC:
        curves = np.stack([sensitivity_at(_scored(one, f), weights) for f in kept], axis=1)  # (R + 1, F, P)
        found = {FROC: curves.mean(axis=2)}
        found |= {f"sensitivity@{rate:g}": curves[:, :, place] for place, rate in enumerate(RATES)}
    else:
        found = {one.kind: weighted_mean(one.values[0][:, kept], weights)}
    return {metric: np.concatenate([_mean(values), values], axis=1) for metric, values in found.items()}


def positives(one: Outcome) -> np.ndarray | None:
    """How many cases have each finding, or how many lesions there are; None where nothing is counted."""
    if one.kind == SCORES:
        return np.nansum(one.labels, axis=0).astype(int)
    return (one.lesion_sizes > 0).sum(axis=(0, 1)) if one.kind == FROC else None


def same_truth(one: Outcome, other: Outcome) -> bool:
    """Whether both were measured against the same labels, or the same lesions."""
    mine, theirs = (outcome.lesion_sizes[outcome.lesion_sizes > 0] for outcome in (one, other))
    same = one.targets == other.targets and np.array_equal(one.labels, other.labels, equal_nan=True)
    return same and np.array_equal(mine, theirs)


def _scored(one: Outcome, target: int) -> Scored:
    scores, sizes = one.values[:, :, target], one.lesion_sizes[:, :, target]
    lesion, false = np.nonzero(sizes > 0), np.nonzero(sizes == 0)
    return Scored(lesion[1], scores[lesion], false[1], scores[false])


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean over the targets that have a value, (R, 1)."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0).sum(axis=1, keepdims=True) / known.sum(axis=1, keepdims=True)
