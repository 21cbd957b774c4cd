"""Which class each voxel of the views is of, where a case has a label map."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.transforms import MapTransform

from t3d.volume.label_table import LARGEST_VALUE

UNLABELLED = -1


class LabelViewsd(MapTransform):
    """Replaces cut label maps (K, 1, X, Y, Z) by the numbers of their classes, int16 (first, 1, X, Y, Z).

    A case without a label gets ``UNLABELLED`` everywhere, so that labelled and unlabelled cases make one batch. Values
    that the table does not name are background.

    Args:
        class_values: for each class, background first, the values of it in the label files.
        first: only so many views, those that have a corrupted copy; None for all.
        image_key: of the views, whose shape an absent label takes.
    """

    def __init__(
        self, *, class_values: Sequence[Sequence[int]], first: int | None = None, image_key: str = "image"
    ) -> None:
        super().__init__("label")
        self.first, self.image_key = first, image_key
        self.numbers = torch.zeros(LARGEST_VALUE + 1, dtype=torch.int16)
        for number, values in enumerate(class_values):
            self.numbers[list(values)] = number

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of the item with class numbers under ``label``."""
        item = dict(data)
        if "label" in item:
            item["label"] = self.numbers[torch.as_tensor(item["label"])[: self.first].long()]
        else:
            shape = item[self.image_key][: self.first].shape
            item["label"] = torch.full(shape, UNLABELLED, dtype=torch.int16)
        return item
