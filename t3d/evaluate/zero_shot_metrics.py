"""How well scores agree with known findings, when the scores carry no threshold."""

import logging
from collections.abc import Sequence

import numpy as np

from t3d.data.findings import labelled
from t3d.metrics.classification import auroc
from t3d.metrics.intervals import bootstrap_statistic
from t3d.reports.prompts import finding_name

logger = logging.getLogger(__name__)

_UNKNOWN = (None, "", -1)


def finding_states(items: Sequence[dict], names: Sequence[str]) -> np.ndarray:
    """Known findings (N, F) of cases: 0, 1, or NaN where unknown (null, -1, "" or not listed).

    Names agree as ``finding_name`` writes them. Without any known finding all is NaN.

    Raises:
        T3DError: another value, with the case and the finding.
    """
    names = [finding_name(name) for name in names]
    cases = [
        {
            "case_id": item["case_id"],
            "findings": {finding_name(name): value for name, value in (item.get("findings") or {}).items()},
        }
        for item in items
    ]
    if all(case["findings"].get(name) in _UNKNOWN for case in cases for name in names):
        return np.full((len(cases), len(names)), np.nan)
    return np.array([case["label"] for case in labelled(cases, names)])


def score_metrics(scores: np.ndarray, states: np.ndarray, patients: np.ndarray, names: Sequence[str]) -> dict:
    """AUROC per finding and their mean, with 95 % bootstrap intervals by patient.

    Args:
        scores: (N, F).
        states: (N, F), 0, 1 or NaN.
        patients: (N,).
        names: of the F findings.

    Returns:
        ``cases``, ``patients``, ``findings`` {name: {``auroc`` {value, interval}, ``positives``, ``negatives``,
        ``unknown``}} and ``mean`` {``auroc``}, over the findings with both classes. Where one class is missing the
        value is None, with a warning.
    """
    findings = {}
    for column, name in enumerate(names):
        value, interval = bootstrap_statistic(auroc, (scores[:, column], states[:, column]), patients)
        counts = {"positives": states[:, column] == 1, "negatives": states[:, column] == 0}
        counts = {key: int(mask.sum()) for key, mask in counts.items()}
        if value is None:
            logger.warning("%s: %d positive and %d negative cases give no AUROC", name, *counts.values())
        findings[name] = {
            "auroc": {"value": value, "interval": interval},
            **counts,
            "unknown": int(np.isnan(states[:, column]).sum()),
        }
    defined = [column for column, name in enumerate(names) if findings[name]["auroc"]["value"] is not None]
    value, interval = None, None
    if defined:
        value, interval = bootstrap_statistic(_mean_auroc, (scores[:, defined], states[:, defined]), patients)
    return {
        "cases": len(scores),
        "patients": len(np.unique(patients)),
        "findings": findings,
        "mean": {"auroc": {"value": value, "interval": interval}, "findings": len(defined)},
    }


def _mean_auroc(scores: np.ndarray, states: np.ndarray) -> float:
    # NaN where a draw of patients misses a class of one finding: a mean over the others would be another quantity
    return float(np.mean([auroc(scores[:, i], states[:, i]) for i in range(scores.shape[1])]))
