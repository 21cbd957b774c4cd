"""An image file's header and voxels, whether NIfTI or of the prepared store."""

from pathlib import Path

import nibabel as nib
from nibabel.spatialimages import SpatialImage

from t3d.volume.store import is_stored, open_stored


def open_image(path: str | Path, *, keep_file_open: bool | None = None) -> SpatialImage:
    """nibabel's image of a file; voxels are read when ``dataobj`` is sliced.

    Args:
        path: NIfTI file, or file of the prepared store.
        keep_file_open: as for nibabel.

    Raises:
        T3DError: a damaged file of the store. nibabel's own errors for others.
    """
    if not is_stored(path):
        return nib.load(path, keep_file_open=keep_file_open)
    stored = open_stored(path)
    return nib.Nifti1Image(stored, stored.affine, dtype=stored.dtype)
