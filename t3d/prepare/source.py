"""A volume file, read a few slices at a time so that memory does not grow with the volume."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from t3d.errors import T3DError
from t3d.triple import triple
from t3d.volume.file_kind import exists, is_nifti
from t3d.volume.image_file import read_header
from t3d.volume.in_words import in_words

# Source voxels held at a time: 16 MiB of float32, some 16 slices of a common CT.
_HELD_VOXELS = 2**22


@dataclass(frozen=True)
class VolumeSource:
    """A volume whose slices can be walked through once, in the order of the file.

    Attributes:
        who: names it in messages.
        shape: its three axes.
        affine: (4, 4), voxels to RAS millimetres.
        header: what the record keeps of the file's header: ``dtype``, ``slope`` and ``intercept``, or None each.
        voxels: an array or nibabel's proxy of one, of the shape and possibly further axes of length 1.
    """

    who: str
    shape: tuple[int, int, int]
    affine: np.ndarray
    header: dict[str, Any]
    voxels: Any = field(repr=False)

    def blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        """First slice and voxels (X, Y, few) of consecutive blocks along the file's third axis, rescaled.

        Raises:
            T3DError: the file is truncated or damaged.
        """
        depth = self.shape[2]
        thick = max(1, _HELD_VOXELS // (self.shape[0] * self.shape[1]))
        for start in range(0, depth, thick):
            stop = min(depth, start + thick)
            with in_words(self.who):
                block = np.asanyarray(self.voxels[:, :, start:stop])
            yield start, block.reshape(self.shape[0], self.shape[1], stop - start)


def open_source(path: str | Path, who: str) -> VolumeSource:
    """A volume as a stream; see ``t3d.volume.image_file.open_image`` for the kinds of files.

    Raises:
        T3DError: missing, unreadable, not one 3D volume, or without a usable affine.
    """
    path = Path(path)
    if not exists(path):
        raise T3DError(f"{who} does not exist in {path.parent}; correct the path or restore the file.")
    try:
        # With the file kept open a compressed stream is only read forward, once.
        header = read_header(path, keep_file_open=True)
    except T3DError as error:
        raise T3DError(error.said_of(who)) from error
    if header.faults:
        raise T3DError(f"{who} {header.faults[0]}.")
    image, shape, affine = header.image, header.shape, header.affine
    proxy = image.dataobj
    record: dict[str, Any] = {"dtype": None, "slope": None, "intercept": None}
    if is_nifti(path):
        record = {
            "dtype": str(image.get_data_dtype()),
            "slope": float(getattr(proxy, "slope", 1.0)),
            "intercept": float(getattr(proxy, "inter", 0.0)),
        }
    return VolumeSource(who, triple(shape[:3]), affine, record, proxy)
