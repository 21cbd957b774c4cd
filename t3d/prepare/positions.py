"""Where the labels are: a sample of voxel positions per label value, drawn while the label passes by."""

from collections.abc import Collection, Sequence

import numpy as np
from scipy import ndimage

from t3d.volume.store import StoredVolume

# Positions kept per label value: many more than crops are ever drawn from one case in an epoch.
MOST_POSITIONS = 4096
MOST_PER_LESION = 64


class PositionSampler:
    """A uniform sample of the voxels of each label value, from parts of a label map in any order.

    Two samples of disjoint parts are merged by drawing how many of the merged sample come from each
    (hypergeometric), so every voxel of a value is equally likely to be kept.

    Args:
        seed: numbers; the same parts and seed give the same positions.
        most: positions kept per value.
        boxed: values whose bounding box is wanted.

    Attributes:
        counts: voxels per value.
        positions: value -> int32 (at most ``most``, 3).
        boxes: value -> (2, 3), first voxel and the one after the last.
    """

    def __init__(self, seed: list[int], *, most: int = MOST_POSITIONS, boxed: Collection[int] = ()) -> None:
        self.random = np.random.default_rng(seed)
        self.most = most
        self.boxed = frozenset(boxed)
        self.counts: dict[int, int] = {}
        self.positions: dict[int, np.ndarray] = {}
        self.boxes: dict[int, np.ndarray] = {}

    def add(self, part: np.ndarray, origin: tuple[int, int, int]) -> None:
        """Look at a part (any three axes) whose first voxel is at ``origin``."""
        flat = np.ascontiguousarray(part).reshape(-1)
        places = np.flatnonzero(flat)
        order = np.argsort(flat[places], kind="stable")
        values, counts = np.unique(flat[places], return_counts=True)
        # without any labelled voxel np.split would still give one group, of none
        groups = np.split(places[order], np.cumsum(counts)[:-1]) if len(places) else []
        for value, group in zip(values.tolist(), groups, strict=True):
            self._merge(value, len(group), self._draw(group), part.shape, origin)
            if value in self.boxed:
                found = np.stack(np.unravel_index(group, part.shape), axis=1)
                box = np.stack([found.min(0), found.max(0) + 1]) + np.asarray(origin)
                known = self.boxes.get(value, box)
                self.boxes[value] = np.stack([np.minimum(known[0], box[0]), np.maximum(known[1], box[1])])
        empty = flat.size - len(places)
        if empty:
            self._merge(0, empty, self._draw_background(flat, empty), part.shape, origin)

    def _draw(self, group: np.ndarray) -> np.ndarray:
        if len(group) <= self.most:
            return group
        return self.random.choice(group, self.most, replace=False)

    def _draw_background(self, flat: np.ndarray, empty: int) -> np.ndarray:
        if empty <= 4 * self.most:
            return self._draw(np.flatnonzero(flat == 0))
        # Listing all background voxels costs more memory than the part itself; drawing until enough are hit does not.
        found = np.zeros(0, dtype=np.int64)
        while len(found) < self.most:
            drawn = self.random.integers(0, flat.size, 2 * self.most * flat.size // empty)
            found = np.unique(np.concatenate([found, drawn[flat[drawn] == 0]]))
        return self._draw(found)

    def _merge(self, value: int, count: int, drawn: np.ndarray, shape: tuple[int, ...], origin: Sequence[int]) -> None:
        new = (np.stack(np.unravel_index(drawn, shape), axis=1) + np.asarray(origin)).astype(np.int32)
        old, known = self.positions.get(value), self.counts.get(value, 0)
        self.counts[value] = known + count
        if old is None:
            self.positions[value] = new
            return
        wanted = min(self.most, known + count)
        if wanted == len(old) + len(new):
            self.positions[value] = np.concatenate([old, new])
            return
        # numpy's hypergeometric takes numbers below 1e9
        scale = max(1.0, (known + count) / 9e8)
        from_old = int(self.random.hypergeometric(max(1, int(known / scale)), max(1, int(count / scale)), wanted))
        from_old = min(len(old), max(from_old, wanted - len(new)))
        kept = [self.random.permutation(old)[:from_old], self.random.permutation(new)[: wanted - from_old]]
        self.positions[value] = np.concatenate(kept)


def lesion_positions(
    label: StoredVolume, box: np.ndarray, value: int, *, seed: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Positions (n, 3) inside every connected lesion of a label value, and the lesion (n,) each lies in.

    Lesions touch by faces, edges or corners. Only the box (2, 3) that holds the value is read. At most
    ``MOST_PER_LESION`` positions each.
    """
    random = np.random.default_rng([*seed, value])
    mask = label[tuple(slice(int(a), int(b)) for a, b in box.T)] == value
    parts, number = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    positions, lesions = [], []
    for lesion, place in enumerate(ndimage.find_objects(parts, max_label=number)):
        found = np.argwhere(parts[place] == lesion + 1) + [side.start for side in place] + box[0]
        if len(found) > MOST_PER_LESION:
            found = found[np.sort(random.choice(len(found), MOST_PER_LESION, replace=False))]
        positions.append(found)
        lesions.append(np.full(len(found), lesion))
    return np.concatenate(positions).astype(np.int32), np.concatenate(lesions).astype(np.int32)
