"""A volume's voxels a few slices at a time, so that memory does not grow with the volume."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from t3d.volume.image_file import CtHeader, read_header
from t3d.volume.in_words import in_words

# 16 MiB of float32, some 16 slices of a common CT.
HELD_VOXELS = 2**22


def open_streamed(path: Path) -> CtHeader:
    """The file's header and a proxy of its voxels; kept open, a compressed stream is read forward once."""
    # nibabel warns on stderr about fields that it mends; `nifti_header` says them in the words of the case
    with nib.imageglobals.LoggingOutputSuppressor():
        return read_header(path, keep_file_open=True)


def slabs(voxels: Any, shape: tuple[int, ...]) -> Iterator[tuple[int, np.ndarray]]:
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
        with np.errstate(all="ignore"), in_words(None, "its file"):
            slab = np.asanyarray(voxels[:, :, start:stop])
        yield start, slab.reshape(side_x, side_y, stop - start)
