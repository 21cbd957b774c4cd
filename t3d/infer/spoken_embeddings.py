"""Texts in the space of the volume embeddings, by the head that sentences were learnt with."""

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from t3d.errors import T3DError
from t3d.networks.pretrain import PretrainNetwork
from t3d.reports.features import check_text_width
from t3d.reports.sentence_features import SentenceFeatures


@torch.no_grad()
def embed_spoken(
    network: PretrainNetwork,
    texts: Sequence[str],
    names: Sequence[str],
    *,
    encoder: Any,
    tokenizer: Callable,
    max_tokens: int,
    sections: Sequence[str] = ("impression",),
    cache_dir: str | Path | None = None,
) -> Tensor:
    """Embed texts by their sentences, each encoded alone as in the training: N texts -> (N, D) unit vectors.

    A text of several sentences is the mean of those that a training would ask (of its impression, where it has one).

    Args:
        network: was trained with sentences.
        texts: reports or sentences.
        names: what an error calls each of them (a case id).
        encoder, tokenizer: frozen text encoder of the training.
        max_tokens, sections: as in the training (``sentence_sections``).
        cache_dir: folder of sentence features that are used and added to; None keeps nothing.

    Raises:
        T3DError: a text without a sentence that can be asked, or another text encoder.
    """
    head = network.sentence_head
    assert head is not None
    check_text_width(encoder, head.in_width)
    with tempfile.TemporaryDirectory() as passing:
        features = SentenceFeatures(
            encoder=partial(lambda: encoder),
            tokenizer=tokenizer,
            cache_dir=Path(cache_dir) / "sentences" if cache_dir is not None else Path(passing),
            max_tokens=max_tokens,
            sections=sections,
        )
        features.precompute([{"report": text, "case_id": name} for text, name in zip(texts, names, strict=True)])
        said = [features.get(text, name) for text, name in zip(texts, names, strict=True)]
    rows = []
    device = next(head.parameters()).device
    for name, one in zip(names, said, strict=True):
        spoken = one.said[one.asked_from]
        if not len(spoken):
            raise T3DError(f"{name} has no sentence that says what one volume shows; write one, such as 'Emphysema.'")
        rows.append(F.normalize(network.embed_sentence(spoken.to(device)).float().mean(dim=0), dim=0).cpu())
    return torch.stack(rows)
