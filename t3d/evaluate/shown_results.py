"""What an evaluation left in its folder, as parts of a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from t3d.files import read_json
from t3d.page.parts import Bullets, Heading, Paragraph, Part, Picture
from t3d.page.results import gauge_table, metric_table

_CLASSES = {
    "dice": "Dice", "surface_dice": "surface Dice", "hd95": "HD95, mm", "missed": "missed", "invented": "invented",
}  # fmt: skip
_FINDINGS = {
    "auroc": "AUROC", "auprc": "AUPRC", "sensitivity": "sensitivity", "specificity": "specificity",
    "positives": "present", "negatives": "absent",
}  # fmt: skip
_PICTURES = {
    "metrics.png": "Dice of every class: a point for each case, the mean and its interval",
    "segmentation.png": "rows of cases: image, truth, prediction on the slice with most labels, from the validation",
    "roc.png": "ROC curve of every finding",
    "gauges.png": "the gauges with their intervals",
    "restoration.png": "rows of crops from the training: clean, corrupted, restored",
}


@dataclass
class Shown:
    """One evaluation.

    Attributes:
        title: of its page.
        parts: tables and pictures.
        per_case: of its ``metrics.json``; empty for gauges.
        findings: names of a classification's findings in the order of the scores.
    """

    title: str
    parts: list[Part]
    per_case: Sequence[Mapping[str, Any]] = ()
    findings: Sequence[str] = field(default_factory=list)


def shown_results(folder: Path) -> Shown | None:
    """Read ``metrics.json`` or ``gauges.json`` and the pictures; None where neither is there."""
    for name, read in (("metrics.json", _metrics), ("gauges.json", _gauges)):
        if (folder / name).is_file():
            shown = read(read_json(folder / name, what="result of an evaluation", remedy="evaluate again"))
            shown.parts += _pictures(folder)
            return shown
    return None


def _metrics(metrics: Mapping[str, Any]) -> Shown:
    said = Paragraph(f"{metrics['cases']} cases. In brackets: 95 % intervals from resampling patients.")
    if "classes" in metrics:
        parts: list[Part] = [Heading("Numbers"), said, metric_table("class", metrics, _CLASSES)]
        return Shown("Evaluation of a segmentation", parts, metrics["per_case"])
    parts = [Heading("Numbers"), said, metric_table("finding", metrics, _FINDINGS)]
    return Shown("Evaluation of a classification", parts, metrics["per_case"], list(metrics["findings"]))


def _gauges(gauges: Mapping[str, Any]) -> Shown:
    said = f"{gauges['cases']} held-out cases, batches of {gauges['batch_size']}; 95 % intervals by patient."
    parts: list[Part] = [
        Heading("Gauges"),
        Paragraph(said),
        gauge_table({"value": gauges}),
        Bullets(gauges["verdict"]),
    ]
    return Shown("Evaluation of a pre-training", parts)


def _pictures(folder: Path) -> list[Part]:
    there = [(name, alt) for name, alt in _PICTURES.items() if (folder / name).is_file()]
    parts: list[Part] = [Heading("Pictures")] if there else []
    for name, alt in there:
        parts += [Paragraph(f"`{name}`: {alt}."), Picture(alt, name, (folder / name).read_bytes())]
    return parts
