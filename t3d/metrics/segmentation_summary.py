"""Means and 95 % intervals over the cases of a segmentation test set."""

from collections.abc import Sequence

import numpy as np

from t3d.metrics.intervals import bootstrap_mean, bootstrap_statistic
from t3d.metrics.overlap import MEASURES


def summarise(cases: Sequence[dict], *, classes: Sequence[str], lesions: Sequence[str] = ()) -> dict:
    """Summary of measured cases.

    Args:
        cases: at least one, each ``{"patient_id", "classes": {name: as from case_overlap}, "lesions": {name: as from
            match_lesions}}``.
        classes: names.
        lesions: names of the classes that were matched lesion by lesion.

    Returns:
        ``classes``: name -> each measure as ``{"mean", "interval", "cases"}`` over the cases where it is defined,
        ``missed`` (cases with the class in the label only) and ``invented`` (in the prediction only);
        ``mean``: each measure's mean over the classes' means, with an interval over patients;
        ``lesions``: name -> ``lesions``, ``detected``, ``left_out``, ``sensitivity`` ``{"value", "interval"}`` over
        all lesions, ``false_positives_per_case`` ``{"mean", "interval", "cases"}``; None without lesion classes.
    """
    patients = np.array([case["patient_id"] for case in cases])
    tables = {
        measure: np.array([[case["classes"][name][measure] for name in classes] for case in cases], dtype=float)
        for measure in MEASURES
    }
    return {
        "classes": {
            name: {
                **{measure: _mean(tables[measure][:, place], patients) for measure in MEASURES},
                "missed": sum(_only(case["classes"][name], "label_ml", "predicted_ml") for case in cases),
                "invented": sum(_only(case["classes"][name], "predicted_ml", "label_ml") for case in cases),
            }
            for place, name in enumerate(classes)
        },
        "mean": {measure: _mean_over_classes(tables[measure], patients) for measure in MEASURES},
        "lesions": {name: _lesions([case["lesions"][name] for case in cases], patients) for name in lesions} or None,
    }


def mean_over_classes(table: np.ndarray) -> float:
    """Mean over classes of the mean over cases, of (cases, classes) with NaN where undefined; NaN for all NaN."""
    defined = np.isfinite(table)
    counts = defined.sum(axis=0)
    sums = np.where(defined, table, 0.0).sum(axis=0)
    means = sums[counts > 0] / counts[counts > 0]
    return float(means.mean()) if means.size else float("nan")


def _mean(values: np.ndarray, patients: np.ndarray) -> dict:
    mean, interval = bootstrap_mean(values, patients)
    return {"mean": mean, "interval": interval, "cases": int(np.isfinite(values).sum())}


def _mean_over_classes(table: np.ndarray, patients: np.ndarray) -> dict:
    mean, interval = bootstrap_statistic(mean_over_classes, (table,), patients)
    return {"mean": mean, "interval": interval, "cases": int(np.isfinite(table).any(axis=1).sum())}


def _only(found: dict, there: str, absent: str) -> bool:
    return found[there] > 0 and found[absent] == 0


def _lesions(found: Sequence[dict], patients: np.ndarray) -> dict:
    counts = np.array([len(case["lesions"]) for case in found], dtype=float)
    detected = np.array([sum(lesion["detected"] for lesion in case["lesions"]) for case in found], dtype=float)
    false = np.array([len(case["false_positives"]) for case in found], dtype=float)
    value, interval = bootstrap_statistic(_share, (detected, counts), patients)
    return {
        "lesions": int(counts.sum()),
        "detected": int(detected.sum()),
        "left_out": sum(case["left_out"] for case in found),
        "sensitivity": {"value": value, "interval": interval},
        "false_positives_per_case": _mean(false, patients),
    }


def _share(part: np.ndarray, whole: np.ndarray) -> float:
    return float(part.sum() / whole.sum()) if whole.sum() else float("nan")
