"""Logits of findings to calibrated scores."""

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import convert_to_tensor


class FindingScoresd(MapTransform):
    """``sigmoid(scale * logit + offset)`` of each finding, float32 (F,) in [0, 1].

    Args:
        keys: logits (F,).
        thresholds: finding -> ``{"scale", "offset", ..}`` in the order of the logits, see ``t3d.evaluate.thresholds``.
    """

    def __init__(self, keys: KeysCollection = "pred", *, thresholds: Mapping[str, Mapping[str, Any]]) -> None:
        super().__init__(keys)
        self.scale = torch.tensor([point["scale"] for point in thresholds.values()])
        self.offset = torch.tensor([point["offset"] for point in thresholds.values()])

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of the item with scores in place of logits."""
        item = dict(data)
        for key in self.key_iterator(item):
            logits = convert_to_tensor(item[key], track_meta=False).float().cpu()
            item[key] = torch.sigmoid(logits * self.scale + self.offset)
        return item
