"""A CT as people have it in their hands, as the tensor that the network's preparation begins with."""

from pathlib import Path
from typing import TypeAlias

import nibabel as nib
import numpy as np
import torch
from monai.data import MetaTensor
from nibabel.spatialimages import SpatialImage

from t3d.errors import T3DError
from t3d.volume.dicom_series import check_item
from t3d.volume.hu_plausibility import check_hu, warn_if_no_hu
from t3d.volume.load import LoadVolumed
from t3d.volume.volume_shape import volume_shape_fault

CT: TypeAlias = str | Path | SpatialImage | tuple[np.ndarray, np.ndarray]


def open_ct(ct: CT) -> MetaTensor:
    """Read a CT in Hounsfield units.

    Args:
        ct: a NIfTI file or a folder with one DICOM series; a nibabel image; or an array (X, Y, Z) with its affine
            (4, 4), which takes voxels to millimetres in RAS.

    Returns:
        (1, X, Y, Z) float32 with its affine.

    Raises:
        T3DError: it cannot be read, is no volume, has no usable affine, or holds NaN.
    """
    if isinstance(ct, str | Path):
        item = {"image": str(ct), "case_id": Path(ct).name}
        check_item(item)
        volume = LoadVolumed("image")(item)["image"]
        check_hu(item)
        return volume
    if isinstance(ct, SpatialImage):
        return _from_array(np.asanyarray(ct.dataobj), ct.affine)
    if isinstance(ct, tuple) and len(ct) == 2:
        return _from_array(*ct)
    raise T3DError(
        f"a {type(ct).__name__} is no CT: give the path of a NIfTI file or of a DICOM folder, a nibabel image, or a "
        "tuple of an array (X, Y, Z) in HU and its affine (4, 4)"
    )


def _from_array(voxels: np.ndarray, affine: np.ndarray) -> MetaTensor:
    voxels, affine = np.asarray(voxels, dtype=np.float32), np.asarray(affine, dtype=np.float64)
    fault = volume_shape_fault(voxels.shape)
    if fault:
        raise T3DError(f"the CT {fault}.")
    if affine.shape != (4, 4) or not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise T3DError(
            f"the affine of the CT must be a regular (4, 4) matrix from voxels to millimetres, not {affine.tolist()}"
        )
    if not np.isfinite(voxels).all():
        raise T3DError("the CT has voxels that are NaN or infinite; replace them, for example with -1024 HU")
    volume = MetaTensor(torch.from_numpy(voxels.reshape(1, *voxels.shape[:3])), affine=torch.from_numpy(affine))
    # what MONAI's readers leave, and the way back to the grid of the input asks for
    volume.meta["original_affine"] = affine.copy()
    warn_if_no_hu(voxels, "in memory")
    return volume


def as_nifti(voxels: np.ndarray, affine: np.ndarray) -> nib.Nifti1Image:
    """A NIfTI image (X, Y, Z) whose sform and qform both hold the affine, in scanner coordinates."""
    image = nib.Nifti1Image(voxels, affine)
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    image.header.set_xyzt_units("mm")
    return image
