"""The middle axial slice of a volume, small enough to be kept until its page is full."""

from collections.abc import Sequence
from typing import NamedTuple

import nibabel as nib
import numpy as np

from t3d.volume.voxel_histogram import VoxelHistogram

LARGEST = 160  # pixels along a side
WINDOW_HU = (-1000.0, 600.0)


class Picture(NamedTuple):
    """A slice as radiologists see it: the patient's right on the left, the front on top.

    Attributes:
        pixels: (rows, columns) uint8.
        aspect: height of a pixel over its width.
    """

    pixels: np.ndarray
    aspect: float


class MiddleSlice:
    """Collects the slice while slabs of the volume pass by.

    Args:
        shape: of the volume.
        affine: (4, 4), voxels to RAS millimetres.
    """

    def __init__(self, shape: Sequence[int], affine: np.ndarray) -> None:
        self.orientation = nib.io_orientation(affine)
        self.axis = int(np.flatnonzero(self.orientation[:, 0] == 2)[0])
        self.middle = int(shape[self.axis]) // 2
        self.spacing = np.linalg.norm(affine[:3, :3], axis=0)
        self.parts: list[np.ndarray] = []

    def add(self, start: int, slab: np.ndarray) -> None:
        """Take what a slab (X, Y, few), beginning at slice ``start``, holds of it."""
        if self.axis == 2:
            if start <= self.middle < start + slab.shape[2]:
                self.parts.append(np.array(slab[:, :, self.middle - start], dtype=np.float32))
        else:
            self.parts.append(np.array(np.take(slab, self.middle, axis=self.axis), dtype=np.float32))

    def picture(self, histogram: VoxelHistogram) -> Picture:
        """The slice, with a window for CT, or for the values that are there where these are no HU."""
        plane = self.parts[0] if self.axis == 2 else np.concatenate(self.parts, axis=1)
        axes = [axis for axis in range(3) if axis != self.axis]
        for place, axis in enumerate(axes):
            if self.orientation[axis, 1] < 0:
                plane = np.flip(plane, place)
        if self.orientation[axes[0], 0] > self.orientation[axes[1], 0]:
            plane, axes = plane.T, axes[::-1]
        step = max(1, -(-max(plane.shape) // LARGEST))
        low, high = WINDOW_HU
        if histogram.high < 300 or histogram.low > -200:
            low, high = histogram.percentile(1), max(histogram.percentile(99), histogram.percentile(1) + 1)
            if high - low < 50:
                low, high = histogram.low, histogram.high + 1e-6
        grey = np.nan_to_num((plane[::step, ::step] - low) / (high - low), posinf=1, neginf=0).clip(0, 1)
        # plane runs to the right and to the front: rows from the front down, columns from the right on
        pixels = np.rint(255 * grey).astype(np.uint8).T[::-1, ::-1]
        return Picture(np.ascontiguousarray(pixels), float(self.spacing[axes[1]] / self.spacing[axes[0]]))
