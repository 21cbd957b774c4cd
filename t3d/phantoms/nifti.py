"""NIfTI bytes that are the same every time, in the orientation a scanner might have chosen."""

import gzip

import nibabel as nib
import numpy as np
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, ornt_transform


def oriented(volume: np.ndarray, affine: np.ndarray, codes: str) -> tuple[np.ndarray, np.ndarray]:
    """A RAS volume stored along other axes, showing the same patient in the same place.

    Args:
        volume: (X, Y, Z) in RAS order.
        affine: (4, 4) of the RAS volume.
        codes: three letters, e.g. "LPS" or "SLA".

    Returns:
        The permuted and flipped volume and its affine.
    """
    turn = ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(codes))
    return apply_orientation(volume, turn), affine @ inv_ornt_aff(turn, volume.shape)


def nifti_bytes(volume: np.ndarray, affine: np.ndarray) -> bytes:
    """A compressed NIfTI-1 file; its gzip header has no time and no name: equal input, equal bytes."""
    image = nib.Nifti1Image(np.ascontiguousarray(volume), affine, dtype=volume.dtype)
    image.header.set_xyzt_units("mm")
    image.set_qform(affine, 1)
    image.set_sform(affine, 1)
    return gzip.compress(image.to_bytes(), compresslevel=4, mtime=0)
