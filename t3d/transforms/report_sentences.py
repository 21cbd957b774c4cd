"""The sentences of a report as features, each for itself, beside the report's tokens."""

from collections.abc import Hashable, Mapping
from typing import Any

import torch.nn.functional as F
from monai.config import KeysCollection
from monai.transforms import MapTransform

from t3d.reports.sentence_features import SentenceFeatures
from t3d.transforms.asked_sentences import WEIGHT_KEY


class SentencesOfReportd(MapTransform):
    """Adds what a report says, sentence by sentence, from the cache; the text stays for the steps that follow.

    The item then has ``said`` (R, T) float32, ``said_mask`` (R,) bool, ``said_weight`` (R,) float32, which
    ``RandAskSentencesd`` draws by: 0 for what is never asked, and ``said_kind`` (R,) int64 for the gauges. A report
    without a usable sentence has one row of zeros that the mask hides, so that every batch has a row.

    Args:
        keys: key of the text.
        features: where they come from.

    Raises:
        T3DError: the case has no report or an empty one, or its features are not in the cache.
    """

    def __init__(self, keys: KeysCollection = "report", *, features: SentenceFeatures) -> None:
        super().__init__(keys)
        self.features = features

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Look up the sentences of one item."""
        item = dict(data)
        for key in self.key_iterator(item):
            found = self.features.get(item[key], str(item.get("case_id", "?")))
            lacking = 0 if len(found.said) else 1
            item["said"] = F.pad(found.said, (0, 0, 0, lacking))
            item["said_mask"] = F.pad(found.asked_from.new_ones(len(found.said)), (0, lacking))
            item["said_kind"] = F.pad(found.kind, (0, lacking))
            item[WEIGHT_KEY] = F.pad(found.weight * found.asked_from, (0, lacking))
        return item
