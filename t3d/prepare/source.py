"""A volume file, read a few slices at a time so that memory does not grow with the volume."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from t3d.errors import T3DError
from t3d.volume.load import UNREADABLE, LoadVolumed, first_line
from t3d.volume.nifti_header import header_faults
from t3d.volume.volume_shape import volume_shape_fault

# Source voxels held at a time: 16 MiB of float32, some 16 slices of a common CT.
_HELD_VOXELS = 2**22
_NIFTI = (".nii", ".nii.gz")


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
            try:
                block = np.asanyarray(self.voxels[:, :, start:stop])
            except UNREADABLE as error:
                raise _damaged(self.who, error) from error
            yield start, block.reshape(self.shape[0], self.shape[1], stop - start)


def open_source(path: str | Path, who: str) -> VolumeSource:
    """A NIfTI file as a stream; anything else that MONAI's LoadImage reads (DICOM series ..) whole.

    Raises:
        T3DError: missing, unreadable, not one 3D volume, or without a usable affine.
    """
    path = Path(path)
    if not path.exists():
        raise T3DError(f"{who} does not exist in {path.parent}; correct the path or restore the file.")
    if path.is_dir() or not path.name.endswith(_NIFTI):
        volume = LoadVolumed("image")({"image": str(path)})["image"]
        header = {"dtype": None, "slope": None, "intercept": None}
        return VolumeSource(who, tuple(volume.shape[1:]), np.asarray(volume.affine), header, volume[0].numpy())
    try:
        # With the file kept open a compressed stream is only read forward, once.
        image = nib.load(path, keep_file_open=True)
        shape, affine = image.shape, np.asarray(image.affine, dtype=np.float64)
    except UNREADABLE as error:
        raise _damaged(who, error) from error
    fault = volume_shape_fault(shape)
    if fault:
        raise T3DError(f"{who} {fault}.")
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise T3DError(f"{who} has no usable affine (spacing or direction is zero); export it again.")
    if image.get_data_dtype().fields or not np.issubdtype(image.get_data_dtype(), np.number):
        raise T3DError(f"{who} has colour voxels ({image.get_data_dtype()}); export it with one value a voxel.")
    faults = header_faults(image, path)
    if faults:
        raise T3DError(f"{who} {faults[0]}.")
    proxy = image.dataobj
    header = {
        "dtype": str(image.get_data_dtype()),
        "slope": float(getattr(proxy, "slope", 1.0)),
        "intercept": float(getattr(proxy, "inter", 0.0)),
    }
    return VolumeSource(who, tuple(int(n) for n in shape[:3]), affine, header, proxy)


def _damaged(who: str, error: BaseException) -> T3DError:
    return T3DError(
        f"{who} cannot be read ({type(error).__name__}: {first_line(error)}); the file is damaged, truncated or not "
        "an image: copy or export it again."
    )
