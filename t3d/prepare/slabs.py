"""Filling a chunked array with whole chunks: planes are gathered until a row of chunks is complete."""

from collections.abc import Callable
from typing import Any

import numpy as np

from t3d.triple import triple


class Slabs:
    """Gathers parts that follow each other along one axis, up or down, and writes each row of chunks once.

    Writing a part of a chunk would unpack and pack it again, and leave holes in the file.

    Args:
        array: a blosc2 array.
        seen: called with every slab and the index (3,) of its first voxel.
    """

    def __init__(self, array: Any, *, seen: Callable[[np.ndarray, tuple[int, int, int]], None] | None = None) -> None:
        self.array, self.seen = array, seen
        self.along, self.row, self.missing = 0, -1, 0
        self.slab = np.zeros(0, dtype=array.dtype)

    def add(self, along: int, first: int, part: np.ndarray) -> None:
        """Take a part whose first plane along the axis is ``first``; whole along the other axes."""
        thick, stop = self.array.chunks[along], first + part.shape[along]
        rows = range(first // thick, (stop - 1) // thick + 1)

        def rest(row: int) -> tuple[bool, bool]:
            whole = first <= row * thick and min((row + 1) * thick, self.array.shape[along]) <= stop
            return row != self.row, not whole

        # A part may reach over borders: first what completes the row that was begun, last what begins another,
        # whichever way the parts go.
        for row in sorted(rows, key=rest):
            if row != self.row:
                self._begin(along, row)
            start = row * thick
            begin, end = max(first, start), min(stop, start + self.slab.shape[along])
            self.slab[_planes(along, begin - start, end - start)] = part[_planes(along, begin - first, end - first)]
            self.missing -= end - begin
            if self.missing == 0:
                self._write()

    def finish(self) -> None:
        """Check that everything was written."""
        if self.missing:
            raise AssertionError(f"{self.missing} planes of the last slab were never given")

    def _begin(self, along: int, row: int) -> None:
        self.finish()
        thick = self.array.chunks[along]
        shape = list(self.array.shape)
        shape[along] = min(thick, shape[along] - row * thick)
        self.slab = np.empty(shape, dtype=self.array.dtype)
        self.along, self.row, self.missing = along, row, shape[along]

    def _write(self) -> None:
        start = self.row * self.array.chunks[self.along]
        self.array[_planes(self.along, start, start + self.slab.shape[self.along])] = self.slab
        if self.seen is not None:
            origin = [0, 0, 0]
            origin[self.along] = start
            self.seen(self.slab, triple(origin))
        self.row = -1


def _planes(along: int, begin: int, end: int) -> tuple[slice, ...]:
    return tuple(slice(begin, end) if axis == along else slice(None) for axis in range(3))
