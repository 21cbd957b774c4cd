"""Centre and scale of text features over a cohort, since those of all reports lie close together."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from t3d.reports.feature_file import read_features
from t3d.reports.features import ReportFeatures
from t3d.reports.sentence_features import SentenceFeatures

# Smallest scale as a share of the root mean square of all: a channel that hardly changes is noise (ours).
_LEAST = 0.01


class ChannelMoments:
    """Mean and standard deviation per channel of rows that come in parts, in float64 (Chan's merging)."""

    def __init__(self, width: int) -> None:
        self.count = 0
        self._mean = torch.zeros(width, dtype=torch.float64)
        self._squares = torch.zeros(width, dtype=torch.float64)

    def add(self, rows: Tensor) -> None:
        """Take in rows (n, T)."""
        if not len(rows):
            return
        rows = rows.double()
        mean, count = rows.mean(dim=0), len(rows)
        total = self.count + count
        apart = mean - self._mean
        self._squares += ((rows - mean) ** 2).sum(dim=0) + apart**2 * (self.count * count / total)
        self._mean += apart * (count / total)
        self.count = total

    def scale(self) -> tuple[Tensor, Tensor]:
        """Centre and scale, float32 (T,); 0 and 1 without rows. A constant channel becomes 0, not infinite."""
        deviation = (self._squares / max(1, self.count)).sqrt()
        usual = float((deviation**2).mean().sqrt())
        scale = deviation.clamp_min(_LEAST * usual) if usual > 0 else torch.ones_like(deviation)
        return self._mean.float(), scale.float()


def token_moments(features: ReportFeatures, items: Iterable[Mapping[str, Any]]) -> ChannelMoments:
    """Over all tokens of the distinct reports of a list, one report in memory at a time."""
    moments = ChannelMoments(features.width)
    for path in features.files(items):
        moments.add(read_features(path)[0])
    return moments


def sentence_moments(features: SentenceFeatures, items: Iterable[Mapping[str, Any]]) -> ChannelMoments:
    """Over the distinct sentences of a list that the encoder knows."""
    moments = ChannelMoments(features.width)
    seen: set[int] = set()
    for path in features.files(items):
        moments.add(_unseen(path, seen))
    return moments


def _unseen(path: Path, seen: set[int]) -> Tensor:
    found = safetensors.torch.load_file(path)
    rows = [row for row, number in enumerate(found["number"].tolist()) if found["known"][row] and number not in seen]
    seen.update(found["number"][rows].tolist())
    return found["features"][rows]
