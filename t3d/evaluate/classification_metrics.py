"""Scores of a whole list, gathered over processes, and the gauges of a validation."""

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

import ignite.distributed as idist
import numpy as np
import torch
from ignite.engine import Engine, Events

from t3d.losses.masked_bce import MaskedBCE
from t3d.metrics.classification import auroc

logger = logging.getLogger(__name__)


@dataclass
class Scored:
    """What an evaluator saw: (N,) cases and patients, (N, F) logits and labels (0, 1, NaN)."""

    cases: list[str] = field(default_factory=list)
    patients: list[str] = field(default_factory=list)
    logits: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    labels: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))


class ClassificationMetrics:
    """Collects logits and labels of an evaluator's pass; at its end sets the engine's metrics, and ``scored``.

    - ``val_loss``: masked cross-entropy over the whole list, all findings weighed alike;
    - ``val_mean_auroc``: mean over the findings with both classes; absent where there is none;
    - ``val_auroc_NAME`` for each of them;
    - ``val_gauge``: what the best model is chosen by: ``val_mean_auroc``, or minus ``val_loss`` where no finding has
      both classes (said once in the log).

    Attach before handlers that read the metrics. A case that two processes both saw counts once.

    Args:
        findings: F names, in the order of the logits.

    Attributes:
        scored: of the last pass, for those who write it.
    """

    def __init__(self, *, findings: Sequence[str]) -> None:
        self.findings = list(findings)
        self.rows: list[tuple[str, str, list[float], list[float]]] = []
        self.told = False
        self.scored = Scored()

    def attach(self, engine: Engine) -> None:
        """Attach to the evaluator."""
        engine.add_event_handler(Events.EPOCH_STARTED, self.reset)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.collect)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.compute)

    def reset(self, engine: Engine) -> None:
        """Forget an earlier pass."""
        self.rows = []

    def collect(self, engine: Engine) -> None:
        """Keep the logits (B, F) and labels (B, F) of a batch."""
        batch, output = engine.state.batch, engine.state.output
        for case, patient, logits, labels in zip(
            batch["case_id"], batch["patient_id"], output["pred"], output["label"], strict=True
        ):
            scores, states = (torch.as_tensor(part).detach().float().cpu().tolist() for part in (logits, labels))
            self.rows.append((str(case), str(patient), scores, states))

    def compute(self, engine: Engine) -> None:
        """Set ``scored`` and the engine's metrics."""
        scored = self.scored = self._gathered()
        loss = float(MaskedBCE()(torch.as_tensor(scored.logits), torch.as_tensor(scored.labels)))
        areas = {
            name: auroc(scored.logits[:, place], scored.labels[:, place]) for place, name in enumerate(self.findings)
        }
        defined = {name: area for name, area in areas.items() if np.isfinite(area)}
        metrics = engine.state.metrics
        metrics["val_loss"] = loss
        metrics.update({f"val_auroc_{name}": area for name, area in defined.items()})
        if defined:
            metrics["val_mean_auroc"] = metrics["val_gauge"] = float(np.mean(list(defined.values())))
        else:
            metrics["val_gauge"] = -loss
        missing = [name for name in self.findings if name not in defined]
        if missing and not self.told:
            self.told = True
            logger.warning(
                "no AUROC for %s: the list holds only one class of it%s",
                ", ".join(missing), "" if defined else "; the best model is chosen by the loss",
            )  # fmt: skip

    def _gathered(self) -> Scored:
        rows = self.rows
        if idist.get_world_size() > 1:
            shares: list = [None] * idist.get_world_size()
            torch.distributed.all_gather_object(shares, rows)
            rows = [row for share in shares for row in share]
        distinct = list({row[0]: row for row in rows}.values())
        cases, patients, logits, labels = zip(*distinct, strict=True) if distinct else ((), (), (), ())
        shape = (len(cases), len(self.findings))
        return Scored(
            list(cases), list(patients), np.array(logits, dtype=float).reshape(shape),
            np.array(labels, dtype=float).reshape(shape),
        )  # fmt: skip


def mean_known(values: Sequence[float]) -> float:
    """Mean of the numbers among values; NaN without any."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # numpy's word for a mean of nothing
        return float(np.nanmean(np.asarray(values, dtype=float)))
