"""Evaluation of a classifier on disk: ``metrics.json``, ``metrics.csv`` and ``roc.png``."""

import csv
import io
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import matplotlib
import numpy as np
from cycler import cycler
from ignite.engine import Engine, Events
from matplotlib.figure import Figure

from t3d.atomic import write_atomically
from t3d.evaluate.classification_metrics import ClassificationMetrics, Scored, mean_known
from t3d.evaluate.thresholds import calibrated
from t3d.files import json_bytes, refuse_existing
from t3d.infer.case_by_case import failed_cases
from t3d.metrics.classification import auprc, auroc, calibration_error, f1, roc_curve, sensitivity, specificity
from t3d.metrics.intervals import bootstrap_statistic

logger = logging.getLogger(__name__)

Metric = Callable[[np.ndarray, np.ndarray], float]


class ClassificationReport:
    """Writes the metrics of each finding with 95 % intervals from resampling patients.

    Args:
        output_dir: made if absent.
        findings: F names.
        thresholds: see ``t3d.evaluate.thresholds.read_thresholds``.
        settings: what was evaluated, stored with the numbers.
        overwrite: whether results of an earlier run may be replaced.
    """

    def __init__(
        self,
        *,
        output_dir: str,
        findings: Sequence[str],
        thresholds: Mapping[str, Mapping[str, Any]],
        settings: Mapping[str, Any],
        overwrite: bool = False,
    ) -> None:
        self.folder = Path(output_dir)
        self.seen = ClassificationMetrics(findings=findings)
        self.points = {name: thresholds[name] for name in findings}
        self.settings = dict(settings)
        self.overwrite = overwrite

    def attach(self, engine: Engine) -> None:
        """Attach to the evaluator."""
        self.seen.attach(engine)
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.COMPLETED, self.write)

    def start(self, engine: Engine) -> None:
        """Refuse to replace earlier results unasked."""
        refuse_existing(self.folder / "metrics.json", overwrite=self.overwrite)

    def write(self, engine: Engine) -> None:
        """Write the three files on the first process."""
        if idist.get_rank() != 0:
            return
        scored = self.seen.scored
        scores = calibrated(scored.logits, self.points)
        measured = summarise(scored, scores, self.points)
        content = {**measured, "failed": failed_cases(engine), "settings": self.settings}
        figure = draw(scores, scored.labels, content["findings"])
        write_atomically(
            {
                self.folder / "roc.png": lambda file: figure.savefig(file, format="png", dpi=120),
                self.folder / "metrics.csv": table(content["findings"]).encode(),
                self.folder / "metrics.json": json_bytes(content),
            }
        )
        area = content["mean"]["auroc"]
        if area["value"] is None:
            logger.warning("no finding has both classes among the %d cases: there is no AUROC", content["cases"])
        else:
            logger.info("mean AUROC %.3f, 95 %% interval %s, %d cases", area["value"], area["interval"],
                        content["cases"])  # fmt: skip
        logger.info("metrics written to %s", self.folder / "metrics.json")


def summarise(scored: Scored, scores: np.ndarray, points: Mapping[str, Mapping[str, Any]]) -> dict:
    """All metrics of ``metrics.json``.

    Args:
        scored: cases, patients and labels.
        scores: (N, F) calibrated.
        points: finding -> its threshold, in the order of the columns.

    Returns:
        ``cases``, ``findings`` (name -> metric -> ``{"value", "interval"}``, None where it is not defined),
        ``mean`` over the findings that have the metric, ``per_case``.
    """
    patients = np.array(scored.patients)
    metrics = {name: _metrics(point["threshold"]) for name, point in points.items()}
    findings = {}
    for place, (name, point) in enumerate(points.items()):
        label = scored.labels[:, place]
        results = {}
        for metric, function in metrics[name].items():
            value, interval = bootstrap_statistic(function, (scores[:, place], label), patients)
            results[metric] = {"value": value, "interval": interval}
        counts = {"positives": int((label == 1).sum()), "negatives": int((label == 0).sum()),
                  "unknown": int(np.isnan(label).sum())}  # fmt: skip
        if not counts["positives"] or not counts["negatives"]:
            logger.warning("finding %s: %d positives and %d negatives in this list, AUROC is null", name,
                           counts["positives"], counts["negatives"])  # fmt: skip
        findings[name] = {**results, "threshold": point["threshold"], **counts}

    def mean_of(metric: str, scores: np.ndarray, labels: np.ndarray) -> float:
        columns = enumerate(metrics.values())
        return mean_known([functions[metric](scores[:, i], labels[:, i]) for i, functions in columns])

    mean = {}
    for metric in next(iter(metrics.values())):
        value, interval = bootstrap_statistic(partial(mean_of, metric), (scores, scored.labels), patients)
        mean[metric] = {"value": value, "interval": interval}
    rows = zip(scored.cases, scored.patients, scores.tolist(), scored.labels.tolist(), strict=True)
    per_case = [
        {
            "case_id": case,
            "patient_id": patient,
            "scores": dict(zip(points, values, strict=True)),
            "labels": {n: None if np.isnan(v) else int(v) for n, v in zip(points, labels, strict=True)},
        }
        for case, patient, values, labels in rows
    ]
    return {"cases": len(scored.cases), "findings": findings, "mean": mean, "per_case": per_case}


def _metrics(threshold: float) -> dict[str, Metric]:
    return {
        "auroc": auroc,
        "auprc": auprc,
        "f1": partial(f1, threshold=threshold),
        "sensitivity": partial(sensitivity, threshold=threshold),
        "specificity": partial(specificity, threshold=threshold),
        "calibration_error": calibration_error,
    }


def table(findings: Mapping[str, Mapping[str, Any]]) -> str:
    """CSV with one row per finding: value, low and high of each metric, threshold and counts."""
    stream = io.StringIO()
    rows = csv.writer(stream, lineterminator="\n")
    first = next(iter(findings.values()))
    metrics = [key for key, value in first.items() if isinstance(value, dict)]
    others = [key for key in first if key not in metrics]
    rows.writerow(["finding", *(f"{m}{end}" for m in metrics for end in ("", "_low", "_high")), *others])
    for name, found in findings.items():
        numbers = [n for m in metrics for n in (found[m]["value"], *(found[m]["interval"] or (None, None)))]
        rows.writerow([name, *("" if n is None else f"{n:.6f}" for n in numbers), *(found[key] for key in others)])
    return stream.getvalue()


def draw(scores: np.ndarray, labels: np.ndarray, findings: Mapping[str, Mapping[str, Any]]) -> Figure:
    """ROC curve of every finding with both classes, its threshold as a dot."""
    figure = Figure(figsize=(8.5, 5.2), layout="compressed")
    axes = figure.subplots()
    # The default cycle gives the eleventh finding the colour of the first; from the twenty-first on lines are broken.
    palette: Any = matplotlib.colormaps["tab20"]  # a listed one, which has its colours; typed as any colour map
    axes.set_prop_cycle(cycler(linestyle=["-", "--", ":"]) * cycler(color=palette.colors))
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=0.8)
    for place, (name, found) in enumerate(findings.items()):
        false_rate, true_rate, _ = roc_curve(scores[:, place], labels[:, place])
        if not len(false_rate):
            continue
        interval = found["auroc"]["interval"]
        span = "" if interval is None else f" ({interval[0]:.2f} to {interval[1]:.2f})"
        (line,) = axes.plot(false_rate, true_rate, label=f"{name} {found['auroc']['value']:.2f}{span}")
        threshold = 1 - found["specificity"]["value"], found["sensitivity"]["value"]
        axes.scatter(*threshold, color=line.get_color(), zorder=line.get_zorder())
    axes.set(xlabel="1 - specificity", ylabel="sensitivity", title="AUROC with 95 % intervals by patient", aspect=1)
    if len(axes.lines) > 1:
        figure.legend(fontsize="small", loc="outside right upper")
    return figure
