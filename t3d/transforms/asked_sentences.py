"""Which sentences of a report are asked in one step: which volume says this?"""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.transforms import MapTransform, Randomizable

from t3d.errors import T3DError

WEIGHT_KEY = "said_weight"


class RandAskSentencesd(Randomizable, MapTransform):
    """Draws sentences of a report without replacement, those that few reports share more often (ours).

    Takes ``said_weight`` (R,), 0 where a sentence is never asked, from the item; puts ``drawn`` in, int64 (S,): rows
    of ``said`` in their order, then -1 where there are fewer than S.

    Args:
        count: S.

    Raises:
        T3DError: a count below 1.
    """

    def __init__(self, *, count: int) -> None:
        MapTransform.__init__(self, WEIGHT_KEY)
        if count < 1:
            raise T3DError(f"text_sentences is {count}; set it to 1 or more sentences a report, or to 0 for none.")
        self.count = count
        self.rows = np.zeros(0, dtype=np.int64)

    def randomize(self, weight: np.ndarray) -> None:
        """Draw among the rows whose weight is not 0."""
        weight = weight.astype(np.float64)
        count = min(self.count, int(np.count_nonzero(weight)))
        share = weight / weight.sum() if count else None  # nothing is drawn by it then
        self.rows = np.sort(self.R.choice(len(weight), size=count, replace=False, p=share))

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of the item with the drawn rows in place of the weights."""
        item = dict(data)
        self.randomize(torch.as_tensor(item.pop(WEIGHT_KEY)).numpy())
        drawn = torch.full((self.count,), -1, dtype=torch.int64)
        drawn[: len(self.rows)] = torch.from_numpy(self.rows)
        item["drawn"] = drawn
        return item
