"""Clusters of the distinct sentences of a list of reports: text as labels."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import safetensors.torch
import torch
from scipy.cluster.vq import kmeans2
from torch import Tensor

from t3d.errors import T3DError
from t3d.networks.text_clusters import TextClusters
from t3d.networks.text_scale import TextScale
from t3d.reports.sentence_features import SentenceFeatures

# distinct sentences that the centres are made from, those with the smallest checksums (ours): 60 MB at width 768
_SAMPLE = 20000
_ROUNDS = 30


def cluster_sentences(
    features: SentenceFeatures, items: Iterable[Mapping[str, Any]], *, count: int, scale: TextScale | None
) -> tuple[Tensor, Tensor]:
    """Put the sentences of a list into clusters by k-means of their standardised features.

    The same on every process and for every order of the items.

    Args:
        features: of the sentences, after ``precompute``.
        items: of the list that is learnt from.
        count: K.
        scale: what the features are standardised by; None leaves them as they are.

    Returns:
        Centres (K, T) and the share of the reports that hold each (K,), float32; half a report at least, so that its
        odds are finite.

    Raises:
        T3DError: fewer distinct sentences than clusters.
    """
    times = Counter(features.files([item])[0] for item in items)
    numbers: list[np.ndarray] = []
    for path in times:
        found = safetensors.torch.load_file(path)
        numbers.append(found["number"][found["known"]].numpy())
    distinct = np.unique(np.concatenate(numbers)) if numbers else np.zeros(0, dtype=np.int64)
    if len(distinct) < count:
        raise T3DError(
            f"sentence_clusters is {count} but the training reports have {len(distinct)} distinct sentences: choose "
            "so many at most"
        )
    rows: dict[int, Tensor] = {}
    wanted = set(distinct[:_SAMPLE].tolist())
    for path in sorted(times):
        found = safetensors.torch.load_file(path)
        for number, feature in zip(found["number"].tolist(), found["features"], strict=True):
            if number in wanted:
                rows.setdefault(number, feature)
    sample = _scaled(torch.stack([rows[number] for number in sorted(rows)]), scale)
    centre, _ = kmeans2(sample.numpy(), count, iter=_ROUNDS, minit="++", seed=np.random.default_rng(0), missing="warn")
    clusters = TextClusters(count, sample.shape[1])
    clusters.centre.copy_(torch.from_numpy(centre))
    held = torch.zeros(count)
    for path, cases in times.items():
        found = safetensors.torch.load_file(path)
        said = _scaled(found["features"], scale).unsqueeze(0)
        if said.shape[1]:
            held += cases * clusters.held(said, found["known"].unsqueeze(0))[0]
    total = times.total()
    return clusters.centre, (held / total).clamp(0.5 / total, 1 - 0.5 / total)


def _scaled(features: Tensor, scale: TextScale | None) -> Tensor:
    if scale is None:
        return features
    return (features - scale.sentence_centre) / scale.sentence_scale
