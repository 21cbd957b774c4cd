"""Counts of the voxel values of a volume, taken in parts, so that no volume has to fit in memory."""

import numpy as np

# Ours: every integer HU of a CT has a bin of its own; what lies outside counts at the ends.
LOWEST, HIGHEST = -5000, 5000


class VoxelHistogram:
    """How often each value, rounded to whole numbers, is there.

    Attributes:
        counts: (HIGHEST - LOWEST + 1,) int64, one per whole number; the first and the last also hold what lies beyond.
        size: number of finite voxels.
        not_finite: number of voxels that are NaN or infinite.
        low, high: smallest and largest finite value; NaN while there is none.
    """

    def __init__(self) -> None:
        self.counts = np.zeros(HIGHEST - LOWEST + 1, np.int64)
        self.size = self.not_finite = 0
        self.low = self.high = float("nan")

    def add(self, values: np.ndarray) -> None:
        """Count voxels of any shape and any real type."""
        values = np.asarray(values).ravel()
        if values.dtype.kind not in "iub":
            finite = np.isfinite(values)
            if not finite.all():
                self.not_finite += int(values.size - finite.sum())
                values = values[finite]
        if not values.size:
            return
        self.low = float(np.fmin(self.low, values.min()))
        self.high = float(np.fmax(self.high, values.max()))
        if values.dtype.kind == "f":
            values = np.rint(values)
        bins = np.clip(values, LOWEST, HIGHEST).astype(np.int64) - LOWEST
        self.counts += np.bincount(bins, minlength=self.counts.size)
        self.size += int(values.size)

    def share(self, low: float, high: float) -> float:
        """Share of the voxels within [low, high], 0 to 1; 0 without voxels."""
        first, last = (int(np.clip(round(end), LOWEST, HIGHEST)) - LOWEST for end in (low, high))
        return float(self.counts[first : last + 1].sum()) / self.size if self.size else 0.0

    def percentile(self, percent: float) -> float:
        """The whole number below or at which ``percent`` of the voxels lie; NaN without voxels."""
        if not self.size:
            return float("nan")
        rank = max(1, int(np.ceil(percent / 100 * self.size)))
        return float(np.searchsorted(np.cumsum(self.counts), rank) + LOWEST)

    def levels(self) -> int:
        """How many different whole numbers are there."""
        return int(np.count_nonzero(self.counts))

    def without_padding(self) -> "VoxelHistogram":
        """Without the value that scanners write outside the field of view, such as -2000 or -3024.

        It is the lowest one, below any air, and far from the next.
        """
        there = np.flatnonzero(self.counts)
        if there.size < 2 or there[0] + LOWEST >= -1100 or there[1] - there[0] < 100:
            return self
        rest = VoxelHistogram()
        rest.counts = self.counts.copy()
        rest.counts[there[0]] = 0
        rest.size, rest.not_finite = int(rest.counts.sum()), self.not_finite
        rest.low, rest.high = float(there[1] + LOWEST), self.high
        return rest
