"""Segmentation metrics on disk: ``metrics.json``, ``metrics.csv`` and ``metrics.png``."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from t3d.atomic import write_atomically
from t3d.files import json_bytes

_COLUMNS = {
    "dice": "dice", "surface_dice": "surface_dice", "hd95": "hd95_mm", "label_ml": "label_ml",
    "predicted_ml": "predicted_ml",
}  # fmt: skip
_LESION_COLUMNS = ("lesions", "lesions_detected", "false_positives")


def write_metrics(folder: str | Path, report: Mapping) -> None:
    """Write the three files, all or none.

    Args:
        folder: made if absent.
        report: with ``per_case`` (``case_id``, ``patient_id``, ``classes``, ``lesions``), ``classes`` and ``mean`` as
            from ``summarise``; everything else in it goes to the JSON file as it is. NaN becomes null, or an empty
            cell.
    """
    folder = Path(folder)
    figure = draw(report)
    write_atomically(
        {
            folder / "metrics.png": lambda file: figure.savefig(file, format="png", dpi=120),
            folder / "metrics.csv": table(report["per_case"]).encode(),
            folder / "metrics.json": json_bytes(without_nan(report)),
        }
    )


def without_nan(value: Any) -> Any:
    """The same nested lists and dicts with None for NaN and infinities: JSON has no word for them."""
    if isinstance(value, Mapping):
        return {key: without_nan(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def table(per_case: Sequence[Mapping]) -> str:
    """CSV with one row per case and class; cells are empty where a measure is undefined."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["case_id", "patient_id", "class", *_COLUMNS.values(), *_LESION_COLUMNS])
    for case in per_case:
        for name, found in case["classes"].items():
            cells = ["" if math.isnan(found[key]) else f"{found[key]:.6g}" for key in _COLUMNS]
            matched = case["lesions"].get(name)
            counts = ["", "", ""]
            if matched is not None:
                detected = sum(lesion["detected"] for lesion in matched["lesions"])
                counts = [str(n) for n in (len(matched["lesions"]), detected, len(matched["false_positives"]))]
            writer.writerow([case["case_id"], case["patient_id"], name, *cells, *counts])
    return stream.getvalue()


def draw(report: Mapping) -> Figure:
    """Dice of every class: a point per case, the mean and its 95 % interval."""
    classes = report["classes"]
    figure = Figure(figsize=(max(5.0, 2.0 + 0.55 * len(classes)), 4.2), layout="constrained")
    axes = figure.subplots()
    for place, (name, summary) in enumerate(classes.items()):
        values = np.array([case["classes"][name]["dice"] for case in report["per_case"]], dtype=float)
        values = values[np.isfinite(values)]
        shift = np.linspace(-0.18, 0.18, len(values)) if len(values) > 1 else np.zeros(len(values))
        axes.scatter(place + shift, values, s=10, color="tab:blue", alpha=0.5, linewidths=0)
        dice = summary["dice"]
        if dice["mean"] is not None:
            low, high = dice["interval"]
            reach = [[max(0.0, dice["mean"] - low)], [max(0.0, high - dice["mean"])]]
            axes.errorbar(place, dice["mean"], yerr=reach, fmt="o", color="black", capsize=5, zorder=3)
    labels = [f"{name}\nn={summary['dice']['cases']}" for name, summary in classes.items()]
    axes.set_xticks(range(len(classes)), labels, rotation=60 if len(classes) > 6 else 0, fontsize=8)
    axes.set(ylim=(-0.02, 1.02), ylabel="Dice")
    axes.grid(axis="y", alpha=0.3)
    mean = report["mean"]["dice"]["mean"]
    said = "" if mean is None else f"; mean over classes {mean:.3f}"
    count = len(report["per_case"])
    axes.set_title(f"{count} case{'s' if count > 1 else ''}{said}; black: mean and 95 % interval", fontsize=9)
    return figure
