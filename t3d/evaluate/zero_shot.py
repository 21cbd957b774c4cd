"""Findings scored by sentences alone: no label is used for training."""

import csv
import io
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from ignite.engine import Engine, Events
from matplotlib.figure import Figure
from torch import Tensor

from t3d.atomic import write_atomically
from t3d.errors import T3DError
from t3d.evaluate.zero_shot_metrics import finding_states, score_metrics
from t3d.files import json_bytes, refuse_existing
from t3d.infer.case_by_case import failed_cases
from t3d.infer.text_embeddings import TextEmbeddings
from t3d.reports.prompts import PromptPair, choose_prompts, finding_name, read_prompts

logger = logging.getLogger(__name__)


def zero_shot_scores(volume: Tensor, positive: Tensor, negative: Tensor, *, temperature: float) -> Tensor:
    """Probability of each finding: softmax over the cosines to its positive and its negative text (as CLIP).

    Args:
        volume: (N, D) unit vectors.
        positive, negative: (F, D) unit vectors.
        temperature: what the cosines are divided by; changes the scores, not their order.

    Returns:
        (N, F) in (0, 1).
    """
    return torch.sigmoid((volume @ positive.T - volume @ negative.T) / temperature)


def embed_pairs(prompts: dict[str, PromptPair], embed: TextEmbeddings) -> tuple[Tensor, Tensor]:
    """Both texts of each finding, (F, D) unit vectors: the mean over its wordings (CLIP's prompt ensembling)."""
    sides = []
    for side in PromptPair._fields:
        wordings = [(name, text) for name, pair in prompts.items() for text in getattr(pair, side)]
        rows = embed([text for _, text in wordings], [f"prompt of {name}" for name, _ in wordings])
        owner = [name for name, _ in wordings]
        means = [rows[[i for i, one in enumerate(owner) if one == name]].mean(dim=0) for name in prompts]
        sides.append(F.normalize(torch.stack(means), dim=1))
    return sides[0], sides[1]


class ZeroShot:
    """Writes ``predictions.json`` and ``predictions.csv``; with known findings also ``metrics.json``, ``metrics.png``.

    Args:
        output_dir: made if absent.
        embed: embeds the prompts.
        items: the cases, with ``case_id``, ``patient_id`` and, for metrics, ``findings`` {name: 0 / 1 / unknown}.
        temperature: of the training.
        prompts_file: see ``t3d.reports.prompts.read_prompts``.
        findings: names; None takes those of the cases that have prompts, or all prompts where the cases have none.
        settings: what was run, stored with the metrics.
        overwrite: whether results of an earlier run may be replaced.
    """

    def __init__(
        self,
        *,
        output_dir: str,
        embed: TextEmbeddings,
        items: Sequence[dict],
        temperature: float = 0.1,
        prompts_file: str | None = None,
        findings: Sequence[str] | None = None,
        settings: dict | None = None,
        overwrite: bool = False,
    ) -> None:
        if temperature <= 0:
            raise T3DError(f"temperature {temperature} must be above 0; use that of the training")
        self.folder = Path(output_dir)
        self.embed = embed
        self.items = {item["case_id"]: item for item in items}
        self.temperature = temperature
        prompts = read_prompts(prompts_file)
        self.prompts = choose_prompts(prompts, findings if findings is not None else _known(items, prompts))
        self.settings = {**(settings or {}), "temperature": temperature, "prompts_file": prompts_file}
        self.overwrite = overwrite

    def attach(self, engine: Engine) -> None:
        """Attach to the evaluator."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.score)
        engine.add_event_handler(Events.COMPLETED, self.write)

    def start(self, engine: Engine) -> None:
        """Embed the prompts, now that the network has its weights."""
        refuse_earlier(self.folder, ("predictions.json", "metrics.json"), overwrite=self.overwrite)
        self.positive, self.negative = embed_pairs(self.prompts, self.embed)
        self.scores: dict[str, np.ndarray] = {}

    def score(self, engine: Engine) -> None:
        """Score one case."""
        volume = engine.state.output["pred"]["embedding"].detach().float().cpu()
        row = zero_shot_scores(volume, self.positive, self.negative, temperature=self.temperature)
        self.scores[engine.state.batch["case_id"][0]] = row[0].numpy()

    def write(self, engine: Engine) -> None:
        """Write the results."""
        names, cases = list(self.prompts), list(self.scores)
        if not cases:
            return  # all failed: the run says so
        content = {
            "findings": names,
            "cases": [
                {"case_id": case, "scores": {n: float(s) for n, s in zip(names, self.scores[case], strict=True)}}
                for case in cases
            ],
            "failed": failed_cases(engine),
        }
        files = {
            self.folder / "predictions.csv": _csv(names, self.scores).encode(),
            self.folder / "predictions.json": json_bytes(content),
        }
        states = finding_states([self.items[case] for case in cases], names)
        if np.isfinite(states).any():
            scores = np.stack([self.scores[case] for case in cases])
            patients = np.array([self.items[case]["patient_id"] for case in cases])
            metrics = {**score_metrics(scores, states, patients, names), "settings": self.settings}
            picture = io.BytesIO()
            draw(metrics).savefig(picture, format="png", dpi=120)
            files |= {
                self.folder / "metrics.png": picture.getvalue(),
                self.folder / "metrics.json": json_bytes(metrics),
            }
            mean = metrics["mean"]["auroc"]
            logger.info("zero-shot mean AUROC %s %s, chance 0.5", mean["value"], mean["interval"])
        write_atomically(files)
        logger.info("zero-shot scores of %d cases for %d findings written to %s", len(cases), len(names), self.folder)


def refuse_earlier(folder: Path, names: Sequence[str], *, overwrite: bool) -> None:
    """Raise a T3DError if results of an earlier run would be replaced."""
    refuse_existing([folder / name for name in names], overwrite=overwrite)


def _known(items: Sequence[dict], prompts: dict[str, PromptPair]) -> list[str] | None:
    names = list(dict.fromkeys(name for item in items for name in item.get("findings") or {}))
    without = [name for name in names if finding_name(name) not in prompts]
    if without:
        logger.warning("findings without prompts are left out: %s (add them to a --prompts_file)", ", ".join(without))
    return [name for name in names if name not in without] or None


def _csv(names: list[str], scores: dict[str, np.ndarray]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["case_id", *names])
    writer.writerows([case, *(f"{score:.6f}" for score in row)] for case, row in scores.items())
    return text.getvalue()


def draw(metrics: dict) -> Figure:
    """AUROC of each finding with its interval, chance as a line."""
    rows = {name: part["auroc"] for name, part in metrics["findings"].items()} | {"mean": metrics["mean"]["auroc"]}
    figure = Figure(figsize=(6, 1.2 + 0.3 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for place, entry in enumerate(rows.values()):
        if entry["value"] is None:
            continue
        if entry["interval"] is not None:
            axes.plot(entry["interval"], [place, place], color="tab:blue")
        axes.plot(entry["value"], place, "o", color="tab:blue")
    axes.axvline(0.5, color="black", linestyle="--", linewidth=0.8)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xlabel="AUROC, 95 % interval by patient", title=f"zero-shot, {metrics['cases']} cases")
    return figure
