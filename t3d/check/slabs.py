"""A volume's voxels a few slices at a time, so that memory does not grow with the volume."""

from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np

from t3d.volume.image_file import open_image
from t3d.volume.store import ENDING

# 16 MiB of float32, some 16 slices of a common CT.
HELD_VOXELS = 2**22
STREAMED = (".nii", ".nii.gz", ENDING)


def is_streamed(path: Path) -> bool:
    """Whether a file is read as a stream; others are read whole."""
    return not path.is_dir() and path.name.endswith(STREAMED)


def open_streamed(path: Path) -> nib.spatialimages.SpatialImage:
    """The file's header and a proxy of its voxels; kept open, a compressed stream is read forward once."""
    # nibabel warns on stderr about fields that it mends; `headers.py` says them in the words of the case
    with nib.imageglobals.LoggingOutputSuppressor():
        return open_image(path, keep_file_open=True)


def slabs(voxels, shape: tuple[int, ...]) -> Iterator[tuple[int, np.ndarray]]:
    """First slice and voxels (X, Y, few), rescaled, of consecutive slabs along the third axis.

    Args:
        voxels: an array, or nibabel's proxy of one, whose further axes have length 1.
        shape: of it.
    """
    side_x, side_y, depth = (int(n) for n in shape[:3])
    thick = max(1, HELD_VOXELS // (side_x * side_y))
    for start in range(0, depth, thick):
        stop = min(depth, start + thick)
        # a header may ask for a scale that overflows; the voxels are then infinite and found as such
        with np.errstate(all="ignore"):
            slab = np.asanyarray(voxels[:, :, start:stop])
        yield start, slab.reshape(side_x, side_y, stop - start)
