"""T3D less the other beginnings on the same held-out cases, paired by patient."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from t3d.metrics.classification import auroc
from t3d.metrics.intervals import bootstrap_statistic
from t3d.metrics.segmentation_summary import mean_over_classes


class Difference(NamedTuple):
    """The mean AUROC or Dice of one run less that of another, and its 95 % interval; None where it is not defined."""

    value: float | None
    interval: list[float] | None

    @property
    def verdict(self) -> str:
        """What the interval allows to say of the first."""
        if self.interval is None or self.interval[0] <= 0 <= self.interval[1]:
            return "no difference is shown"
        return "it is above" if self.interval[0] > 0 else "it is below"


def difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> Difference:
    """Compare two evaluations of the same kind on the cases that both have.

    Args:
        one, other: content of ``metrics.json``, with ``per_case``.
    """
    firsts, seconds = ({case["case_id"]: case for case in run.get("per_case", [])} for run in (one, other))
    shared = [case for case in firsts if case in seconds]
    if not shared:
        return Difference(None, None)
    first, second = [firsts[case] for case in shared], [seconds[case] for case in shared]
    patients = np.array([case["patient_id"] for case in first])
    if "findings" in one:
        arrays = _column(first, "scores"), _column(second, "scores"), _column(first, "labels")
        return Difference(*bootstrap_statistic(_auroc_difference, arrays, patients))
    return Difference(*bootstrap_statistic(_dice_difference, (_dice(first), _dice(second)), patients))


def _column(cases: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    """(N, F), NaN for what is unknown."""
    return np.array([[np.nan if v is None else v for v in case[name].values()] for case in cases], dtype=float)


def _dice(cases: Sequence[Mapping[str, Any]]) -> np.ndarray:
    return np.array(
        [[np.nan if (d := found["dice"]) is None else d for found in case["classes"].values()] for case in cases]
    )


def _auroc_difference(one: np.ndarray, other: np.ndarray, labels: np.ndarray) -> float:
    each = [
        auroc(one[:, place], labels[:, place]) - auroc(other[:, place], labels[:, place])
        for place in range(labels.shape[1])
    ]
    known = [value for value in each if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def _dice_difference(one: np.ndarray, other: np.ndarray) -> float:
    return mean_over_classes(one) - mean_over_classes(other)
