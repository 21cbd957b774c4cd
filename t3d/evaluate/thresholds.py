"""From logits to decisions: calibration and thresholds, chosen on validation and kept beside the model."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import numpy as np
from ignite.engine import Engine, Events
from scipy.optimize import minimize
from scipy.special import expit

from t3d.errors import T3DError
from t3d.evaluate.classification_metrics import ClassificationMetrics
from t3d.files import read_json, sha256, write_json
from t3d.metrics.classification import known, roc_curve

logger = logging.getLogger(__name__)

FILE_NAME = "thresholds.json"
FORMAT_VERSION = 1
DEFAULT = {"scale": 1.0, "offset": 0.0, "threshold": 0.5}


def fit_scaling(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Scale and offset that make ``sigmoid(scale * logit + offset)`` a probability (Platt 1999).

    Platt's softened targets and a prior (log scale of standard deviation 1, offset of 3, ours) keep a small list from
    claiming certainty; with many cases neither weighs. The scale is positive, so the order of the cases, and with
    it the AUROC, does not change.

    Args:
        logits: (N,).
        labels: (N,) 0, 1 or NaN, both classes present.
    """
    logits, positive = known(logits, labels)
    positives, negatives = positive.sum(), (~positive).sum()
    target = np.where(positive, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def loss(parameters: np.ndarray) -> float:
        raised = np.exp(parameters[0]) * logits + parameters[1]
        prior = (parameters[0] ** 2 + (parameters[1] / 3) ** 2) / 2
        return float(np.sum(np.logaddexp(0, raised) - target * raised) + prior)

    found = minimize(loss, x0=np.zeros(2), method="L-BFGS-B", bounds=[(-3, 3), (-20, 20)])
    return float(np.exp(found.x[0])), float(found.x[1])


def choose_threshold(scores: np.ndarray, labels: np.ndarray) -> float:
    """Threshold with the largest sensitivity + specificity - 1 (Youden's J), amid the gap to the next lower score.

    Args:
        scores: (N,) in [0, 1].
        labels: (N,) 0, 1 or NaN, both classes present. Among equally good thresholds the highest is taken.
    """
    false_rate, true_rate, thresholds = roc_curve(scores, labels)
    best = 1 + int(np.argmax((true_rate - false_rate)[1:]))  # not the infinite one, which calls nothing
    below = thresholds[best + 1] if best + 1 < len(thresholds) else thresholds[best]
    return float((thresholds[best] + below) / 2)


def operating_points(logits: np.ndarray, labels: np.ndarray, findings: Sequence[str]) -> dict[str, dict]:
    """Calibration and threshold of each finding; 0.5 and no calibration where the list has one class only.

    Args:
        logits, labels: (N, F).
        findings: F names.
    """
    points = {}
    for place, name in enumerate(findings):
        _, positive = known(logits[:, place], labels[:, place])
        point: dict[str, Any] = {"positives": int(positive.sum()), "negatives": int((~positive).sum())}
        if point["positives"] and point["negatives"]:
            scale, offset = fit_scaling(logits[:, place], labels[:, place])
            threshold = choose_threshold(expit(scale * logits[:, place] + offset), labels[:, place])
            point |= {"scale": scale, "offset": offset, "threshold": threshold, "method": "Platt scaling, Youden's J"}
        else:
            logger.warning("finding %s: one class only on validation; threshold 0.5, not calibrated", name)
            point |= {**DEFAULT, "method": "default: one class only on validation"}
        points[name] = point
    return points


def calibrated(logits: np.ndarray, points: Mapping[str, Mapping[str, Any]]) -> np.ndarray:
    """Scores in [0, 1] from logits (.., F); the points stand in the order of the findings."""
    scale = np.array([point["scale"] for point in points.values()])
    offset = np.array([point["offset"] for point in points.values()])
    return expit(np.asarray(logits, dtype=float) * scale + offset)


class StoreThresholds:
    """Writes ``thresholds.json`` beside the weights after a pass over the validation list with them.

    Args:
        weights: the file that was evaluated; its SHA-256 goes into the record.
        findings: F names.
    """

    def __init__(self, *, weights: str, findings: Sequence[str]) -> None:
        self.weights = Path(weights)
        self.seen = ClassificationMetrics(findings=findings)
        self.findings = list(findings)

    def attach(self, engine: Engine) -> None:
        """Attach to the evaluator."""
        self.seen.attach(engine)
        engine.add_event_handler(Events.COMPLETED, self.write)

    def write(self, engine: Engine) -> None:
        """Choose and write on the first process."""
        if idist.get_rank() != 0:
            return
        scored = self.seen.scored
        content = {
            "format_version": FORMAT_VERSION,
            "model": self.weights.name,
            "model_sha256": sha256(self.weights),
            "chosen_on": "validation",
            "cases": len(scored.cases),
            "findings": operating_points(scored.logits, scored.labels, self.findings),
        }
        path = self.weights.with_name(FILE_NAME)
        write_json(path, content)
        logger.info("thresholds of %d findings, chosen on %d cases, written to %s", len(self.findings),
                    len(scored.cases), path)  # fmt: skip


def read_thresholds(*, weights: str, findings: Sequence[str]) -> dict[str, dict]:
    """Operating points of the findings, from ``thresholds.json`` beside a weights file.

    Without the file, or with one chosen for other weights, all thresholds are 0.5 without calibration, and a
    warning says so.

    Raises:
        T3DError: the file cannot be read, or lacks a finding.
    """
    path = Path(weights).with_name(FILE_NAME)
    if not path.is_file():
        logger.warning("no %s: scores are not calibrated and all thresholds are 0.5; training writes it", path)
        return {name: dict(DEFAULT) for name in findings}
    needed = {"format_version": int, "model_sha256": str, "findings": dict}
    content = read_json(path, what="record of thresholds", remedy="run the training command again", need=needed)
    version, wanted, points = (content[name] for name in needed)
    if version != FORMAT_VERSION:
        raise T3DError(f"{path} has format version {version}, this t3d reads {FORMAT_VERSION}; install another t3d")
    if Path(weights).is_file() and sha256(Path(weights)) != wanted:
        logger.warning(
            "%s was chosen for other weights than %s: scores are not calibrated and all thresholds are 0.5; run the "
            "training command again to choose them anew", path, weights,
        )  # fmt: skip
        return {name: dict(DEFAULT) for name in findings}
    missing = [name for name in findings if name not in points]
    if missing:
        raise T3DError(f"{path} has no threshold of {', '.join(missing)}; use the findings the model was trained with")
    return {name: points[name] for name in findings}
