"""The report of a case as the network takes it, or its wordings until one of them is drawn."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from monai.transforms import Compose, Transform

from t3d.data.wordings import REPORTS, WORDINGS, Wordings


class ReadReportd(Transform):
    """Applies the steps of a report; to a case with several wordings when ``ViewDataset`` draws one of them.

    Args:
        steps: from the text under ``report`` to what the network takes, such as ``ReportSide.steps``.
    """

    def __init__(self, steps: Sequence[Transform]) -> None:
        self.steps = Compose(steps)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The item with its report read, or with ``Wordings`` in its place."""
        item = dict(data)
        texts = item.pop(REPORTS, None)
        if not texts or len(texts) < 2:
            return dict(self.steps(item))
        item.pop("report", None)
        item[WORDINGS] = Wordings(item["case_id"], texts, self.steps)
        return item
