"""Several full-resolution crops ("views") of one volume, with controlled overlap."""

import logging
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Randomizable, SpatialPad
from monai.utils import convert_to_tensor, ensure_tuple_rep

from t3d.errors import T3DError
from t3d.networks.encoders import STRIDE
from t3d.transforms.lazy_volume import LazyVolume

logger = logging.getLogger(__name__)


# Steps of an evenly spread sequence (powers of 1 over the root of x^4 = x + 1): where a batch is cut at one place, its
# further pairs have one place each, too.
_SPREAD = (0.8191725134, 0.6710436067, 0.5497004779)


class PairedCropsd(Randomizable, MapTransform):
    """Cuts K crops per volume: the first anywhere, the others near it (two by default, as in Swin UNETR SSL).

    The first crop lies uniformly at random inside the volume, or, where the item has a `matched_position`
    (p in [0, 1] per axis), at round(p (size - crop)). Each further crop is displaced from the first by whole
    voxels, uniform in +-(1 - view_overlap) crop per axis, and moved back as far as the edge; with
    `view_overlap` None it lies anywhere. Nothing is resampled. A volume smaller than the crop is padded on
    both sides, and the log says so once per case and process.

    With `pairs` P there are 2 P views: P first crops, each at a place of its own, then in the same order P crops that
    lie near them; pair p is (p, P + p). One pair is what two views are.

    Args:
        keys: volumes (C, X, Y, Z) on one grid; all are cut at the same places.
        crop_size: voxels per side, one number or three, divisible by 32.
        view_overlap: least overlap of the views per axis, 0 to 1, as a share of the crop; or None.
        num_views: K; with `pairs` there are 2 P.
        pairs: P, or None for one crop and others near it.
        pad_value: fills what a small volume lacks; 0 is air after scaling to [0, 1].

    Each key becomes a plain contiguous tensor (K, C, s, s, s), and `view_start`, int64 (K, 3), holds each
    view's first voxel in the (padded) volume. The volume itself does not stay in the item.

    Raises:
        T3DError: a side not divisible by 32, an overlap outside 0..1, or volumes of different shapes.
    """

    def __init__(
        self,
        keys: KeysCollection = "image",
        *,
        crop_size: int | Sequence[int],
        view_overlap: float | None = 0.75,
        num_views: int = 2,
        pairs: int | None = None,
        pad_value: float = 0.0,
        allow_missing_keys: bool = False,
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        sides = ensure_tuple_rep(crop_size, 3)
        if any(side != int(side) or side < STRIDE or side % STRIDE for side in sides):
            shown = " x ".join(map(str, sides))
            raise T3DError(
                f"crop_size is {shown}, but every side must be divisible by {STRIDE}; "
                f"use for example {_nearest(sides)}."
            )
        if view_overlap is not None and not 0 <= view_overlap <= 1:
            raise T3DError(f"view_overlap is {view_overlap}; it is a share of the crop, set it in 0..1 or to null.")
        if num_views < 1:
            raise T3DError(f"num_views is {num_views}; set it to 1 or more (2 for the contrast).")
        if pairs is not None and pairs < 1:
            raise T3DError(f'pairs is {pairs}; set it to 1 or more pairs of views, or to "both".')
        self.crop_size = np.array(sides, dtype=np.int64)
        self.view_overlap, self.pairs = view_overlap, pairs
        self.num_views = num_views if pairs is None else 2 * pairs
        self.pad = SpatialPad(spatial_size=sides, method="symmetric", mode="constant", value=pad_value)
        self.starts = np.zeros((self.num_views, 3), dtype=np.int64)
        self._told_small: set[str] = set()

    def randomize(self, size: Sequence[int], matched: Sequence[float] | None = None) -> None:
        """Draw the views' first voxels in a volume of `size` voxels (all sides at least the crop's).

        With several pairs a `matched` place is that of the first; the others lie at fixed distances from it, round the
        edges, so that they are matched over the batch, too.
        """
        room = np.array(size, dtype=np.int64) - self.crop_size
        each = self.num_views if self.pairs is None else 2
        places = [self._together(room, matched, number, each) for number in range(self.pairs or 1)]
        # all first crops, then all second ones
        self.starts = np.stack(places, axis=1).reshape(-1, 3)

    def _together(
        self, room: np.ndarray, matched: Sequence[float] | None, number: int, count: int
    ) -> list[np.ndarray]:
        """One crop and `count` - 1 near it; with a matched place the crop of pair `number` has its own."""
        if matched is None:
            first = self._anywhere(room)
        else:
            place = np.clip(matched, 0, 1)
            if number:
                place = (place + number * np.array(_SPREAD)) % 1
            first = np.floor(place * room + 0.5).astype(np.int64)
        return [first, *(self._near(first, room) for _ in range(count - 1))]

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of the item with views in place of the volumes."""
        item = dict(data)
        volumes = {key: self._large_enough(item, key) for key in self.key_iterator(item)}
        shapes = {tuple(volume.shape[1:]) for volume in volumes.values()}
        if len(shapes) != 1:
            raise T3DError(
                f"case {item.get('case_id', '?')}: the volumes {', '.join(map(str, volumes))} have "
                f"the shapes {sorted(shapes)}; bring them to one grid before cropping."
            )
        self.randomize(shapes.pop(), item.get("matched_position"))
        for key, volume in volumes.items():
            if isinstance(volume, LazyVolume):
                item[key] = volume.cut(self.starts, self.crop_size)
                continue
            # Sliced before it is converted, so that a memory-mapped volume is read only where it is needed.
            item[key] = torch.stack(
                [convert_to_tensor(volume[self._slices(s)], track_meta=False) for s in self.starts]
            )
        item["view_start"] = torch.as_tensor(self.starts.copy())
        return item

    def _anywhere(self, room: np.ndarray) -> np.ndarray:
        return np.array([self.R.randint(0, r + 1) for r in room], dtype=np.int64)

    def _near(self, first: np.ndarray, room: np.ndarray) -> np.ndarray:
        if self.view_overlap is None:
            return self._anywhere(room)
        # The small number keeps 0.3 * 10 from becoming 2 through rounding.
        reach = np.floor((1 - self.view_overlap) * self.crop_size + 1e-6).astype(np.int64)
        shift = np.array([self.R.randint(-r, r + 1) for r in reach], dtype=np.int64)
        return np.clip(first + shift, 0, room)

    def _slices(self, start: np.ndarray) -> tuple[slice, ...]:
        return (slice(None), *(slice(int(a), int(a + n)) for a, n in zip(start, self.crop_size, strict=True)))

    def _large_enough(self, item: Mapping[Hashable, Any], key: Hashable) -> Any:
        volume = item[key]
        size = np.array(volume.shape[1:])
        if (size >= self.crop_size).all():
            return volume
        case = str(item.get("case_id", "?"))
        if case not in self._told_small:
            self._told_small.add(case)
            shown = [" x ".join(map(str, sides)) for sides in (size, self.crop_size)]
            logger.info("case %s: volume of %s voxels padded to the crop size %s", case, *shown)
        return self.pad(convert_to_tensor(volume[:], track_meta=False))


def _nearest(sides: Sequence[float]) -> str:
    return " x ".join(str(max(1, round(side / STRIDE)) * STRIDE) for side in sides)
