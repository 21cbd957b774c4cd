"""Free-response curves: the share of lesions found at so many false positives in a case."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from t3d.metrics.intervals import PERCENTILES
from t3d.metrics.resampled import patient_weights

RATES = (0.25, 0.5, 1.0, 2.0, 4.0)  # false positives per case


class Scored(NamedTuple):
    """Scores of all cases, flat.

    Attributes:
        lesion_case: (L,) row of the case of each lesion.
        lesion_score: (L,) 0 where nothing finds it.
        false_case, false_score: (K,) of the false positives, scores above 0.
    """

    lesion_case: np.ndarray
    lesion_score: np.ndarray
    false_case: np.ndarray
    false_score: np.ndarray


def sensitivity_at(scored: Scored, weights: np.ndarray, *, rates: Sequence[float] = RATES) -> np.ndarray:
    """The highest sensitivity of a threshold with at most so many false positives per case.

    The points of MONAI's ``compute_froc_curve_data``; between them it is not interpolated, since no threshold gives
    what lies there. Lesions and false positives of one score are called together. Where the candidates run out before
    the rate is reached, it is the sensitivity of all of them.

    Args:
        scored: lesions and false positives.
        weights: (R, N), how often each case counts.
        rates: P false positives per case.

    Returns:
        (R, P); NaN without a lesion.
    """
    order = np.argsort(-scored.false_score, kind="stable")
    cutoffs = np.append(scored.false_score[order], 0.0)
    weights = np.asarray(weights, dtype=float)
    found = np.full((len(weights), len(rates)), np.nan)
    for row, weight in enumerate(weights):
        lesions = weight[scored.lesion_case]
        total = lesions.sum()
        if total == 0:
            continue
        # the first false positive too many; what does not score above it is not called
        limits = np.asarray(rates) * weight.sum() + 1e-9
        first = np.searchsorted(np.cumsum(weight[scored.false_case[order]]), limits, side="right")
        called = scored.lesion_score[:, None] > cutoffs[first]
        found[row] = lesions @ called / total
    return found


def summarise_froc(cases: Sequence[Mapping], names: Sequence[str], *, resamples: int = 1000) -> dict:
    """Sensitivities of measured cases with 95 % intervals over patients.

    Args:
        cases: each with ``patient_id`` and ``scored_lesions``, name -> as from ``score_lesions``.
        names: of the classes; those that a case has no scores of are left out.
        resamples: of the patients.

    Returns:
        name -> rate as text -> ``{"value", "interval"}``, None without a lesion; and ``mean`` over the rates.
    """
    weights = patient_weights(np.array([case["patient_id"] for case in cases]), resamples=resamples)
    found = {}
    for name in names:
        if not all(name in case["scored_lesions"] for case in cases):
            continue
        sampled = sensitivity_at(flat([case["scored_lesions"][name] for case in cases]), weights)
        columns = dict(zip(map("{:g}".format, RATES), sampled.T, strict=True)) | {"mean": sampled.mean(axis=1)}
        found[name] = {rate: _interval(values) for rate, values in columns.items()}
    return found


def flat(cases: Sequence[Mapping]) -> Scored:
    """One class of all cases, each as from ``score_lesions``."""
    lesions = [(row, one["score"]) for row, case in enumerate(cases) for one in case["lesions"]]
    false = [(row, score) for row, case in enumerate(cases) for score in case["false_positives"]]
    columns = [np.array(part, dtype=float).reshape(-1, 2).T for part in (lesions, false)]
    (lesion_case, lesion_score), (false_case, false_score) = columns
    return Scored(lesion_case.astype(int), lesion_score, false_case.astype(int), false_score)


def _interval(values: np.ndarray) -> dict:
    drawn = values[1:][np.isfinite(values[1:])]
    known = len(drawn) >= max(1, (len(values) - 1) / 2)
    interval = [float(bound) for bound in np.percentile(drawn, PERCENTILES)] if known else None
    return {"value": float(values[0]) if np.isfinite(values[0]) else None, "interval": interval}
