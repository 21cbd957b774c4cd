"""Reports looked up by volumes, and volumes by reports."""

import csv
import io
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events
from matplotlib.figure import Figure
from torch import Tensor

from t3d.atomic import write_atomically
from t3d.errors import T3DError
from t3d.evaluate.ranking import recall_and_rank
from t3d.files import json_bytes, refuse_existing
from t3d.infer.case_by_case import failed_cases
from t3d.infer.text_embeddings import TextEmbeddings
from t3d.reports.tokens import report_number

logger = logging.getLogger(__name__)

DIRECTIONS = {"report_to_volume": "report -> volume", "volume_to_report": "volume -> report"}


class Retrieval:
    """Writes ``metrics.json``, ``ranks.csv`` (ranks per case, no report text) and ``metrics.png``.

    Reports that are equal after cleaning are one report: every volume with it is a right answer to it, and it stands
    once among the candidates of a volume. Other studies of the same patient, and what is said of them, are no rivals:
    as in the training, they are left out of a query's candidates. Cosine similarity; see ``t3d.evaluate.ranking`` for
    ties and chance.

    Args:
        output_dir: made if absent.
        embed: embeds the reports.
        items: the cases, with ``case_id``, ``patient_id`` and ``report``.
        settings: what was run, stored with the metrics.
        overwrite: whether results of an earlier run may be replaced.

    Raises:
        T3DError: a case has no report, or there are fewer than two different reports.
    """

    def __init__(
        self,
        *,
        output_dir: str,
        embed: TextEmbeddings,
        items: Sequence[dict],
        settings: dict | None = None,
        overwrite: bool = False,
    ) -> None:
        self.folder = Path(output_dir)
        self.embed = embed
        self.items = {item["case_id"]: item for item in items}
        self.settings = settings or {}
        self.overwrite = overwrite

    def attach(self, engine: Engine) -> None:
        """Attach to the evaluator."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.collect)
        engine.add_event_handler(Events.COMPLETED, self.write)

    def start(self, engine: Engine) -> None:
        """Embed the distinct reports, now that the network has its weights."""
        refuse_existing(self.folder / "metrics.json", overwrite=self.overwrite)
        self.report_of: dict[str, int] = {}
        texts: dict[int, str] = {}
        names: dict[int, str] = {}
        for case, item in self.items.items():
            if not isinstance(item.get("report"), str) or not item["report"].strip():
                raise T3DError(f"case {case} has no report to look up: retrieval needs a datalist with reports")
            number = report_number(self.embed.reports.sentences(item["report"], case))
            self.report_of[case] = number
            texts.setdefault(number, item["report"])
            names.setdefault(number, case)
        if len(texts) < 2:
            raise T3DError(f"{len(self.items)} cases have {len(texts)} distinct report: retrieval needs two or more")
        self.numbers = list(texts)
        self.reports = self.embed(list(texts.values()), list(names.values())).numpy()
        self.volumes: dict[str, np.ndarray] = {}

    def collect(self, engine: Engine) -> None:
        """Keep the embedding of one case."""
        embedding: Tensor = torch.as_tensor(engine.state.output["pred"]["embedding"])
        self.volumes[engine.state.batch["case_id"][0]] = embedding[0].detach().float().cpu().numpy()

    def write(self, engine: Engine) -> None:
        """Write the results."""
        cases = list(self.volumes)
        if not cases:
            return  # all failed: the run says so
        patients = np.array([self.items[case]["patient_id"] for case in cases])
        own = np.array([self.report_of[case] for case in cases])
        similarity = np.stack([self.volumes[case] for case in cases]) @ self.reports.T
        is_own = own[:, None] == np.array(self.numbers)[None, :]
        # a query per case in both directions, so that both are resampled by patient
        asked = is_own.argmax(axis=1)
        same_patient = patients[:, None] == patients[None, :]
        told_of_patient = (same_patient.astype(int) @ is_own.astype(int)) > 0
        to_volume, volume_ranks = recall_and_rank(
            similarity.T[asked], is_own.T[asked], patients, left_out=same_patient & ~is_own.T[asked]
        )
        to_report, report_ranks = recall_and_rank(similarity, is_own, patients, left_out=told_of_patient & ~is_own)
        metrics: dict[str, Any] = {
            "cases": len(cases),
            "patients": len(np.unique(patients)),
            "distinct_reports": len(self.numbers),
            "failed": failed_cases(engine),
            "report_to_volume": to_volume,
            "volume_to_report": to_report,
            "settings": self.settings,
        }
        rows = io.StringIO()
        writer = csv.writer(rows, lineterminator="\n")
        writer.writerow(["case_id", *(f"{direction}_rank" for direction in DIRECTIONS)])
        writer.writerows(zip(cases, volume_ranks.tolist(), report_ranks.tolist(), strict=True))
        picture = io.BytesIO()
        ranks = {"report_to_volume": volume_ranks, "volume_to_report": report_ranks}
        draw(metrics, ranks).savefig(picture, format="png", dpi=120)
        files = {
            self.folder / "metrics.png": picture.getvalue(),
            self.folder / "ranks.csv": rows.getvalue().encode(),
            self.folder / "metrics.json": json_bytes(metrics),
        }
        write_atomically(files)
        for direction, words in DIRECTIONS.items():
            part = metrics[direction]
            logger.info(
                "%s: recall@5 %.3f (chance %.3f), median rank %g of %d (chance %g)",
                words, part["recall@5"]["value"], part["recall@5"]["chance"],
                part["median_rank"]["value"], part["candidates"], part["median_rank"]["chance"],
            )  # fmt: skip
        logger.info("retrieval of %d cases written to %s", len(cases), self.folder)


def draw(metrics: dict, ranks: dict[str, np.ndarray]) -> Figure:
    """Recall at every k in both directions; dashed: k out of the number of candidates."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, (direction, words) in zip(figure.subplots(1, 2), DIRECTIONS.items(), strict=True):
        count = metrics[direction]["candidates"]
        ks = np.arange(1, count + 1)
        axes.plot(ks, [(ranks[direction] <= k).mean() for k in ks], label="found")
        axes.plot(ks, ks / count, color="black", linestyle="--", linewidth=0.8, label="chance, one right answer")
        axes.set(xlabel="k", ylabel="recall at k", title=f"{words}, {metrics['cases']} queries", ylim=(0, 1.02))
        axes.legend()
    return figure
