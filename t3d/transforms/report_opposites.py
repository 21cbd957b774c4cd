"""The opposites of a report's sentences, beside what it says."""

from collections.abc import Hashable, Mapping
from typing import Any

import torch.nn.functional as F
from monai.config import KeysCollection
from monai.transforms import MapTransform

from t3d.reports.opposite_features import OppositeFeatures


class OppositesOfReportd(MapTransform):
    """Adds ``opposite`` (R, T) float32, row by row beside ``said`` of ``SentencesOfReportd``, which comes before.

    Args:
        keys: key of the text.
        features: where they come from.

    Raises:
        T3DError: the case has no report or an empty one, or its features are not in the cache.
    """

    def __init__(self, keys: KeysCollection = "report", *, features: OppositeFeatures) -> None:
        super().__init__(keys)
        self.features = features

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Look up the opposites of one item."""
        item = dict(data)
        for key in self.key_iterator(item):
            found = self.features.get(item[key], str(item.get("case_id", "?")))
            item["opposite"] = F.pad(found, (0, 0, 0, len(item["said"]) - len(found)))
        return item
