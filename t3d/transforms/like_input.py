"""What a result inherits from the file it was made from: its place in space and its name."""

from collections.abc import Hashable, Mapping
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform


class LikeInputd(MapTransform):
    """Gives results the affine of the input file as it was read, exactly, and a name for the file they become.

    Inverting Orientation and Spacing leaves rounding in the affine; viewers then call two grids different.

    Args:
        keys: results (MetaTensor) on the input's grid; those that an item lacks are skipped.
        image_key: the input (MetaTensor) with ``original_affine``.

    The name is ``case_id`` where the item has one, else that of the input file.
    """

    def __init__(self, keys: KeysCollection, *, image_key: str = "image") -> None:
        super().__init__(keys, allow_missing_keys=True)
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of the item; the results' meta data are changed in place."""
        item = dict(data)
        meta = item[self.image_key].meta
        name = f"{item['case_id']}.nii.gz" if "case_id" in item else meta["filename_or_obj"]
        for key in self.key_iterator(item):
            item[key].meta.update(affine=meta["original_affine"], filename_or_obj=name)
        return item
