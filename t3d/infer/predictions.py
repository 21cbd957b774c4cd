"""Scores per case as ``predictions.json`` and ``predictions.csv``."""

import csv
import io
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events

from t3d.atomic import write_atomically
from t3d.files import json_bytes, refuse_existing
from t3d.infer.case_by_case import failed_cases

logger = logging.getLogger(__name__)


class SavePredictions:
    """Collects the scores of an evaluator whose post-processing ends with ``FindingScoresd``.

    ``predictions.json``: ``{"findings", "thresholds", "cases": [{"case_id", "scores", "positive"}], "failed"}``, where
    ``failed`` holds what ``t3d.infer.case_by_case`` found. ``predictions.csv``: one row a case, the scores and
    whether each finding is positive (1 at or above its threshold).

    Args:
        output_dir: made if absent.
        findings: F names in the order of the scores.
        thresholds: see ``t3d.evaluate.thresholds.read_thresholds``.
        overwrite: whether results of an earlier run may be replaced.
    """

    def __init__(
        self,
        *,
        output_dir: str,
        findings: Sequence[str],
        thresholds: Mapping[str, Mapping[str, Any]],
        overwrite: bool = False,
    ) -> None:
        self.folder = Path(output_dir)
        self.findings = list(findings)
        self.thresholds = {name: thresholds[name]["threshold"] for name in findings}
        self.overwrite = overwrite
        self.cases: list[dict] = []

    def attach(self, engine: Engine) -> None:
        """Attach to the evaluator, after handlers that may refuse a case."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.collect)
        engine.add_event_handler(Events.COMPLETED, self.write)

    def start(self, engine: Engine) -> None:
        """Refuse to replace earlier results unasked."""
        self.cases = []
        files = (self.folder / "predictions.json", self.folder / "predictions.csv")
        refuse_existing(files, overwrite=self.overwrite)

    def collect(self, engine: Engine) -> None:
        """Keep the scores of a decollated batch."""
        for item, output in zip(engine.state.batch, engine.state.output, strict=True):
            scores = dict(zip(self.findings, output["pred"].tolist(), strict=True))
            positive = {name: int(score >= self.thresholds[name]) for name, score in scores.items()}
            self.cases.append({"case_id": str(item["case_id"]), "scores": scores, "positive": positive})

    def write(self, engine: Engine) -> None:
        """Write both files."""
        content = {
            "findings": self.findings,
            "thresholds": self.thresholds,
            "cases": self.cases,
            "failed": failed_cases(engine),
        }
        write_atomically(
            {
                self.folder / "predictions.csv": self._table().encode(),
                self.folder / "predictions.json": json_bytes(content),
            }
        )
        logger.info("scores of %d cases written to %s", len(self.cases), self.folder / "predictions.json")

    def _table(self) -> str:
        stream = io.StringIO()
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(["case_id", *self.findings, *(f"{name}_positive" for name in self.findings)])
        for case in self.cases:
            scores = (f"{case['scores'][name]:.6f}" for name in self.findings)
            rows.writerow([case["case_id"], *scores, *(case["positive"][name] for name in self.findings)])
        return stream.getvalue()
