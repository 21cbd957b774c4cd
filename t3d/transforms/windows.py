"""Windows of a whole volume for one training step, few enough for any card."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from monai.config import KeysCollection
from monai.transforms import MapTransform, Randomizable
from monai.utils import convert_to_tensor

from t3d.errors import T3DError
from t3d.networks.window_grid import window_sides, window_starts

MASK_KEY = "window_mask"


class RandWindowsd(Randomizable, MapTransform):
    """Draws windows of a volume for a step of multiple-instance training (ours).

    Candidates are the windows that inference looks through, each moved at random by up to half the distance to its
    neighbour; they are drawn without replacement, windows of air (see ``VolumeClassifier``) only where there are no
    others. So a step's memory depends on ``train_windows``, not on the volume, and a volume with no more windows
    than that is seen whole.

    Args:
        keys: a volume (1, X, Y, Z), scaled to [0, 1]; it becomes a plain tensor (W, s, s, s).
        channel: keep its channel, (W, 1, s, s, s).
        crop_size, overlap, body_level, body_share: as for ``VolumeClassifier``.
        train_windows: W. A volume with fewer counted windows is filled up with zeros.

    ``window_mask``, bool (W,), is True for the windows that count.
    """

    def __init__(
        self,
        keys: KeysCollection = "image",
        *,
        crop_size: int | Sequence[int],
        train_windows: int = 8,
        overlap: float = 0.25,
        body_level: float = 0.2,
        body_share: float = 0.05,
        channel: bool = False,
    ) -> None:
        MapTransform.__init__(self, keys)
        if train_windows < 1:
            raise T3DError(f"train_windows {train_windows} must be 1 or more windows a volume")
        self.window = window_sides(crop_size)
        self.train_windows = train_windows
        self.overlap = overlap
        self.body_level = body_level
        self.body_share = body_share
        self.channel = channel
        self.starts = np.zeros((0, 3), dtype=np.int64)

    def randomize(self, size: Sequence[int]) -> None:
        """Draw the order and the places of all candidates in a volume of ``size`` voxels."""
        grid = window_starts(tuple(size), self.window, overlap=self.overlap)
        room = np.maximum(0, np.array(size) - self.window)
        reach = np.array([_spacing(grid[:, axis]) // 2 for axis in range(3)])
        shift = self.R.randint(-reach, reach + 1, size=grid.shape)
        self.starts = self.R.permutation(np.clip(grid + shift, 0, room))

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of the item with windows in place of the volume."""
        item = dict(data)
        for key in self.key_iterator(item):
            volume = item[key]
            self.randomize(volume.shape[1:])
            windows = self._counted(volume)
            mask = torch.zeros(self.train_windows, dtype=torch.bool)
            mask[: len(windows)] = True
            empty = [torch.zeros(self.window, dtype=windows[0].dtype)] * (self.train_windows - len(windows))
            stacked = torch.stack(windows + empty)
            item[key], item[MASK_KEY] = stacked.unsqueeze(1) if self.channel else stacked, mask
        return item

    def _counted(self, volume: Any) -> list[torch.Tensor]:
        """The first windows that count, or the first of all where every one is air."""
        found: list[torch.Tensor] = []
        air: list[torch.Tensor] = []
        for start in self.starts:
            window = self._cut(volume, start)
            is_body = (window > self.body_level).float().mean() >= self.body_share
            (found if is_body else air).append(window)
            if len(found) == self.train_windows:
                break
        return found or air[: self.train_windows]

    def _cut(self, volume: Any, start: np.ndarray) -> torch.Tensor:
        # Sliced before it is converted, so that a prepared volume is read only where it is needed.
        place = (slice(0, 1), *(slice(int(a), int(a) + n) for a, n in zip(start, self.window, strict=True)))
        window = convert_to_tensor(volume[place], track_meta=False)[0]
        lacking = [wide - side for side, wide in zip(window.shape, self.window, strict=True)]
        return F.pad(window, [pad for lack in reversed(lacking) for pad in (0, lack)])


class RandRowsd(Randomizable, MapTransform):
    """The same for window features that were computed before: draws rows of them.

    Args:
        keys: window features (W, C), with their ``window_mask`` (W,) in the item; they become (rows, C).
        rows: windows drawn without replacement among those that count; fewer are filled up with zeros.
    """

    def __init__(self, keys: KeysCollection = "image", *, rows: int) -> None:
        MapTransform.__init__(self, keys)
        self.rows = rows
        self.places = np.zeros(0, dtype=np.int64)

    def randomize(self, counted: np.ndarray) -> None:
        """Draw among the places that count."""
        self.places = self.R.permutation(counted)[: self.rows]

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of the item with the drawn rows and their mask."""
        item = dict(data)
        for key in self.key_iterator(item):
            self.randomize(np.flatnonzero(np.asarray(item[MASK_KEY])))
            found = torch.as_tensor(item[key])[torch.from_numpy(self.places)]
            item[key] = F.pad(found, (0, 0, 0, self.rows - len(found)))
            item[MASK_KEY] = torch.arange(self.rows) < len(found)
        return item


def _spacing(places: np.ndarray) -> int:
    distinct = np.unique(places)
    return int(np.diff(distinct).max()) if len(distinct) > 1 else 0
