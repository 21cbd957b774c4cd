"""Corrupted copies of the views: what the network cannot see it must read or restore."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, RandCoarseDropout, RandCoarseShuffle, Randomizable
from monai.transforms.intensity.array import RandCoarseTransform
from monai.utils import MAX_SEED, ensure_tuple

from t3d.errors import T3DError

MOST = 0.99


class _EvenHoles(RandCoarseTransform):
    """For MONAI's coarse transforms: holes that touch an expected share of voxels, evenly (ours).

    MONAI places every hole inside the image, so corners are hardly ever hit. Here holes are drawn on an image
    enlarged by a hole's edge less one voxel on every side and cut at the border: every voxel is then hit with
    the same probability q per hole, and n holes touch 1 - (1 - q)^n of the voxels. A whole number of holes is
    drawn so that the mean of that is the wanted share.
    """

    share: float
    hole_share: float

    def randomize(self, img_size: Sequence[int]) -> None:
        size = np.array(img_size)
        edge = np.maximum(1, np.round(self.hole_share * size)).astype(int)
        keep = 1.0 - float(np.prod(edge / (size + edge - 1)))
        self.holes = self._number(keep)
        self.spatial_size = tuple(edge.tolist())
        super().randomize((size + 2 * (edge - 1)).tolist())
        self.hole_coords = [self._cut(hole, edge, size) for hole in self.hole_coords]

    def _number(self, keep: float) -> int:
        """Either of the two hole counts around the exact one, drawn so that the expected share is exact."""
        few = int(np.log(1 - self.share) / np.log(keep)) if keep > 0 else 0
        untouched = keep**few
        rest = untouched * (1 - keep)
        more = (untouched - (1 - self.share)) / rest if rest > 0 else 0.0
        return few + int(self.R.uniform() < more)

    @staticmethod
    def _cut(hole: tuple[slice, ...], edge: np.ndarray, size: np.ndarray) -> tuple[slice, ...]:
        cut = [
            slice(max(0, side.start - (e - 1)), min(int(n), side.stop - (e - 1)))
            for side, e, n in zip(hole[1:], edge.tolist(), size.tolist(), strict=True)
        ]
        return (hole[0], *cut)


class _EvenDropout(_EvenHoles, RandCoarseDropout):
    """Fills holes with uniform noise in [0, 1)."""

    def __init__(self, share: float, hole_share: float) -> None:
        super().__init__(holes=1, spatial_size=1, fill_value=(0.0, 1.0), prob=1.0)
        self.share, self.hole_share = share, hole_share


class _EvenShuffle(_EvenHoles, RandCoarseShuffle):
    """Shuffles the voxels inside holes."""

    def __init__(self, share: float, hole_share: float) -> None:
        super().__init__(holes=1, spatial_size=1, prob=1.0)
        self.share, self.hole_share = share, hole_share


class RandCorruptViewsd(Randomizable, MapTransform):
    """Adds a corrupted copy of the views (K, C, s, s, s), each view corrupted on its own.

    First boxes are shuffled (MONAI's RandCoarseShuffle), then boxes are filled with noise
    (RandCoarseDropout), so that shuffled boxes hold voxels of the image. A voxel counts as corrupted when it
    lies in a box of either kind. Swin UNETR pre-training corrupts about 30 %; 70 % is ours, measured to be
    where the report is read.

    Args:
        keys: views with values in [0, 1].
        corrupted_key: where the copy goes; one per key.
        share: expected share of corrupted voxels, 0 (a plain copy) to 0.99.
        shuffle_share: expected share of voxels in shuffled boxes, at most `share` (part of it, not on top).
        hole_share: edge of a box as a share of the crop's side, above 0 to 1.
        first: only so many views, from the first on, have a corrupted copy (first, C, s, s, s); None for all.

    Raises:
        T3DError: a share outside its range.
    """

    def __init__(
        self,
        keys: KeysCollection = "image",
        *,
        corrupted_key: KeysCollection = "corrupted",
        share: float = 0.7,
        shuffle_share: float = 0.1,
        hole_share: float = 0.25,
        first: int | None = None,
    ) -> None:
        MapTransform.__init__(self, keys)
        self.corrupted_keys = ensure_tuple(corrupted_key)
        if len(self.corrupted_keys) != len(self.keys):
            raise T3DError(f"corrupted_key names {len(self.corrupted_keys)} keys for {len(self.keys)}; name one each.")
        if not 0 <= share <= MOST:
            raise T3DError(f"the corrupted share is {share}; set it in 0..{MOST}.")
        if not 0 <= shuffle_share <= 1:
            raise T3DError(f"shuffle_share is {shuffle_share}; set it in 0..1.")
        if not 0 < hole_share <= 1:
            raise T3DError(f"hole_share is {hole_share}; it is a share of the crop's side, set it above 0 to 1.")
        self.first = first
        shuffled = min(shuffle_share, share)
        # Both kinds are independent: 1 - share = (1 - shuffled)(1 - dropped).
        dropped = 1 - (1 - share) / (1 - shuffled)
        steps = ((_EvenShuffle, shuffled), (_EvenDropout, dropped))
        self.steps = [kind(part, hole_share) for kind, part in steps if part > 0]

    def set_random_state(
        self, seed: int | None = None, state: np.random.RandomState | None = None
    ) -> "RandCorruptViewsd":
        """Seed this transform and the two inside it."""
        super().set_random_state(seed=seed, state=state)
        for step in self.steps:
            step.set_random_state(seed=int(self.R.randint(MAX_SEED, dtype="uint32")))
        return self

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of the item with the corrupted views added; the clean ones are not touched."""
        item = dict(data)
        for key, corrupted_key in self.key_iterator(item, self.corrupted_keys):
            # MONAI's coarse transforms write into their input, hence the clone.
            views = torch.as_tensor(item[key])[: self.first].clone()
            for number, view in enumerate(views):
                for step in self.steps:
                    view = step(view)
                views[number] = view
            item[corrupted_key] = views
        return item
