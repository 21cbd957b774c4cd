"""The whole volume under a second key, for what is cut from it beside the views."""

from collections.abc import Hashable, Mapping
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform


class KeepVolumed(MapTransform):
    """Puts what lies under a key under another one as well, without a copy (MONAI's CopyItemsd copies).

    A crop then replaces one of them, and the other is still whole. So what is drawn from it can stand behind the older
    random steps of a composition, which deals out its seeds in order: their numbers are the same with and without it.

    Args:
        keys: one key, such as ``image``.
        kept: the other key.
    """

    def __init__(self, keys: KeysCollection = "image", *, kept: str) -> None:
        super().__init__(keys)
        self.kept = kept

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of the item with the second key; nothing may change it in place."""
        item = dict(data)
        for key in self.key_iterator(item):
            item[self.kept] = item[key]
        return item
