"""Which kinds of sentences find their volume, each held against its own chance."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from t3d.losses.sentence_answers import Answers, sentence_hits
from t3d.metrics.intervals import bootstrap_mean
from t3d.reports.sentence_kinds import KINDS, NAMES

# Asked sentences of a kind below which its share says nothing (ours).
LEAST_SENTENCES = 20


def sentence_values(
    volume: Tensor, sentence: Tensor, answers: Answers, *, kind: Tensor | None = None, cases: int
) -> dict[str, Tensor]:
    """Per case, over its asked sentences: how many find a volume that says them, and by chance; NaN for none.

    Args:
        volume: (G, D) unit vectors.
        sentence: (S, D) unit vectors.
        answers: of ``SentenceContrast.answers``.
        kind: (S,) int64 flags of ``t3d.reports.sentence_kinds``; None leaves the kinds out.
        cases: B.

    Returns:
        ``sentence_hit`` and ``sentence_chance`` (B,); with kinds ``kind_hit`` and ``kind_chance`` (B, K) of each of
        ``NAMES``, and ``kind_asked`` (B, K), how many were asked.
    """
    found = sentence_hits(volume, sentence, answers)
    owner = answers.owner[answers.asked]
    of_case = (owner == torch.arange(cases, device=owner.device).unsqueeze(1)).float()
    hit, chance = ((of_case @ value.float()) / of_case.sum(dim=1) for value in found)
    values = {"sentence_hit": hit, "sentence_chance": chance}
    if kind is not None:
        places = torch.arange(len(NAMES), device=kind.device)
        is_kind = (kind[answers.asked].unsqueeze(1) >> places & 1).float()  # (asked, K)
        asked = of_case @ is_kind
        kinds = ((of_case @ (value.float().unsqueeze(1) * is_kind)) / asked for value in found)
        values |= dict(zip(("kind_hit", "kind_chance"), kinds, strict=True)) | {"kind_asked": asked}
    return values


def summarise_kinds(values: Mapping[str, Tensor]) -> dict[str, dict[str, Any]] | None:
    """The kinds from values per case (see ``sentence_values``), those alone that were asked; None without kinds.

    Each has ``sentences`` (how often one was asked), ``accuracy`` with ``interval`` (95 %, from resampling patients)
    and ``chance``, means over cases as in ``sentence_accuracy``, and ``too_few``.
    """
    if "kind_asked" not in values:
        return None
    patients = values["patient"].numpy()
    kinds = {}
    for place, name in enumerate(NAMES):
        sentences = int(values["kind_asked"][:, place].sum())
        if sentences:
            accuracy, interval = bootstrap_mean(values["kind_hit"][:, place].double().numpy(), patients)
            kinds[name] = {
                "sentences": sentences,
                "accuracy": accuracy,
                "interval": interval,
                "chance": float(np.nanmean(values["kind_chance"][:, place].double().numpy())),
                "too_few": sentences < LEAST_SENTENCES,
            }
    return kinds


def kind_table(kinds: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The kinds as lines of a Markdown table: kinds that every cohort has, then the findings that sentences name."""
    lines = ["| sentences | asked | find a volume that says them | chance |", "|---|---|---|---|"]
    for name, of_kind in kinds.items():
        called = name if name in KINDS else f"about {name}"
        low, high = of_kind["interval"]
        share = f"{of_kind['accuracy']:.1%} ({low:.1%} to {high:.1%})"
        said = f"too few to say (below {LEAST_SENTENCES})" if of_kind["too_few"] else share
        lines.append(f"| {called} | {of_kind['sentences']} | {said} | {of_kind['chance']:.1%} |")
    return lines
