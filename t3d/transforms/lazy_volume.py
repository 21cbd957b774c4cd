"""Prepared volumes that are read crop by crop."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

from t3d.errors import T3DError
from t3d.volume.index import read_highest
from t3d.volume.listed import check_grid
from t3d.volume.store import StoredVolume, is_stored, open_stored


class LazyVolume:
    """A box of a stored volume, scaled to [0, 1] where it is read; it holds no open file.

    Args:
        stored: the file.
        start, stop: first voxel of the box and the one after the last.
        hu_range: becomes [0, 1]; values outside are clipped. None leaves values as they are stored, as of labels.

    Attributes:
        shape: (1, X, Y, Z) of the box.
    """

    def __init__(
        self, stored: StoredVolume, start: np.ndarray, stop: np.ndarray, hu_range: Sequence[float] | None
    ) -> None:
        self.stored, self.hu_range = stored, hu_range
        self.start, self.stop = np.asarray(start), np.asarray(stop)
        self.shape = torch.Size((1, *(int(side) for side in self.stop - self.start)))

    def __getitem__(self, box: Any) -> torch.Tensor:
        """Float32 voxels (1, x, y, z) of a box: the channel's slice and up to three more, steps of 1."""
        box = box if isinstance(box, tuple) else (box,)
        sides = [*box[1:], *[slice(None)] * (4 - len(box))]
        if len(sides) != 3 or not all(isinstance(side, slice) and side.step in (None, 1) for side in (box[0], *sides)):
            raise IndexError(f"a lazy volume is cut by slices of step 1, not by {box}")
        places = [side.indices(size)[:2] for side, size in zip(sides, self.shape[1:], strict=True)]
        if any(stop <= start for start, stop in places):
            return torch.zeros((1, *(max(0, stop - start) for start, stop in places)))
        place = tuple(slice(int(at + a), int(at + b)) for at, (a, b) in zip(self.start, places, strict=True))
        return _scaled(torch.from_numpy(self.stored[place].astype(np.float32))[None], self.hu_range)[box[0]]

    def cut(self, starts: np.ndarray, size: np.ndarray) -> torch.Tensor:
        """Boxes of one size inside the volume, float32 (K, 1, x, y, z), without a copy for each.

        Args:
            starts: (K, 3), their first voxels.
            size: (3,), their voxels per side.
        """
        boxes = torch.empty((len(starts), 1, *(int(side) for side in size)))
        for box, start in zip(boxes, starts + self.start, strict=True):
            place = tuple(slice(int(a), int(a + n)) for a, n in zip(start, size, strict=True))
            box[0] = torch.from_numpy(self.stored[place].astype(np.float32))
        return _scaled(boxes, self.hu_range)


class LazyVolumed(MapTransform):
    """Puts a LazyVolume in place of the path of a prepared volume: loading, Orientation, Spacing, scaling at once.

    Crops of it equal those of the plain pipeline (LoadImage, Orientation, Spacing, ScaleIntensityRange,
    CropForeground) at the same places, within one HU.

    Args:
        keys: keys holding paths of the store.
        spacing, orientation: of the configuration; must be those that the volume was prepared for.
        hu_range: becomes [0, 1]; values outside are clipped.
        body_level: keep the bounding box of everything scaled above this, as CropForeground with ``is_body`` does;
            None keeps the whole volume. The box comes from the index, not from voxels.
        margin: voxels kept around that box where the volume has them.
        label_key: of a label map of the first key's volume, which is cut with it, values as they are; an item may
            lack it.

    Raises:
        T3DError: not a file of the store, damaged, or prepared for another grid; a label of another shape.
    """

    def __init__(
        self,
        keys: KeysCollection = "image",
        *,
        spacing: Sequence[float],
        orientation: str = "RAS",
        hu_range: Sequence[float],
        body_level: float | None = None,
        margin: int = 4,
        label_key: str | None = None,
    ) -> None:
        super().__init__(keys)
        self.label_key = label_key
        self.spacing, self.orientation = spacing, orientation
        if len(hu_range) != 2 or not hu_range[0] < hu_range[1]:
            raise T3DError(f"hu_range is {list(hu_range)}; give the lowest and the highest HU, such as -1000 and 1000")
        self.hu_range = hu_range
        self.body_level, self.margin = body_level, margin

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of the item with lazy volumes in place of the paths."""
        item = dict(data)
        for key in self.key_iterator(item):
            stored = self._open(item, key)
            start, stop = np.zeros(3, dtype=np.int64), np.array(stored.shape)
            if self.body_level is not None:
                start, stop = self._body(item[key], stop)
            item[key] = LazyVolume(stored, start, stop, self.hu_range)
        if self.label_key in item:
            image, label = item[self.first_key(item)], self._open(item, self.label_key)
            if label.shape != image.stored.shape:
                raise T3DError(
                    f"case {item.get('case_id', '?')}: label and image have the shapes {label.shape} and "
                    f"{image.stored.shape}; prepare the case again."
                )
            item[self.label_key] = LazyVolume(label, image.start, image.stop, None)
        return item

    def _open(self, item: Mapping[Hashable, Any], key: Hashable) -> StoredVolume:
        who = f"case {item.get('case_id', item[key])}: {key}"
        if not is_stored(item[key]):
            raise T3DError(f"{who} is no file of the prepared store; use a datalist that `t3d prepare` wrote.")
        stored = open_stored(item[key])
        check_grid(who, stored.spacing, stored.orientation, self.spacing, self.orientation)
        return stored

    def _body(self, path: str, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        dense = [_scaled(torch.from_numpy(row), self.hu_range).numpy() > self.body_level for row in read_highest(path)]
        if not dense[0].any():
            return np.zeros(3, dtype=np.int64), np.zeros(3, dtype=np.int64)
        ends = np.array([[np.flatnonzero(row)[0], np.flatnonzero(row)[-1] + 1] for row in dense])
        return np.maximum(ends[:, 0] - self.margin, 0), np.minimum(ends[:, 1] + self.margin, size)


def _scaled(voxels: torch.Tensor, hu_range: Sequence[float] | None) -> torch.Tensor:
    """MONAI's ScaleIntensityRange to [0, 1] with clip, in place: its copies took longer than reading the box."""
    if hu_range is None:
        return voxels
    low, high = float(hu_range[0]), float(hu_range[1])
    return voxels.sub_(low).div_(high - low).clamp_(0.0, 1.0)
