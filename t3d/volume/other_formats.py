"""Volumes of 3D Slicer and ITK (.nrrd, .mha, .mhd), through SimpleITK, ITK or pynrrd where one is installed."""

import importlib
from pathlib import Path
from types import ModuleType

import nibabel as nib
import numpy as np

from t3d.errors import T3DError

_META_IMAGE, _NRRD = (".mha", ".mhd"), (".nrrd", ".nhdr")
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def is_other_format(path: str | Path) -> bool:
    """Whether a name is that of a MetaImage or NRRD file."""
    return Path(path).name.lower().endswith((*_META_IMAGE, *_NRRD))


def open_other(path: Path) -> nib.Nifti1Image:
    """The volume, read whole, with its affine turned to RAS.

    Raises:
        T3DError: no package that reads it is installed; no one volume of numbers. Errors of these packages pass.
    """
    simple_itk, itk = _installed("SimpleITK"), _installed("itk")
    nrrd = _installed("nrrd") if path.name.lower().endswith(_NRRD) else None
    if simple_itk is not None:
        image = simple_itk.ReadImage(str(path))
        voxels, colours = simple_itk.GetArrayFromImage(image).T, image.GetNumberOfComponentsPerPixel()
        direction, spacing, origin = image.GetDirection(), image.GetSpacing(), image.GetOrigin()
    elif itk is not None:
        image = itk.imread(str(path))
        voxels, colours = itk.array_from_image(image).T, image.GetNumberOfComponentsPerPixel()
        direction, spacing, origin = itk.array_from_matrix(image.GetDirection()), image.GetSpacing(), image.GetOrigin()
    elif nrrd is not None:
        return _with_pynrrd(nrrd, path)
    else:
        packages = "SimpleITK" if path.name.lower().endswith(_META_IMAGE) else "SimpleITK or pynrrd"
        raise T3DError(
            f"needs {packages} to be read; run pip install SimpleITK, or convert the file to NIfTI (.nii.gz).",
            who=path.name,
        )
    if voxels.ndim != 3 or colours != 1:
        raise T3DError("is no 3D volume with one number a voxel; save one volume as NIfTI.", who=path.name)
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(direction, (3, 3)) * np.array(spacing)
    affine[:3, 3] = origin
    return _image(voxels, _LPS_TO_RAS @ affine)


def _with_pynrrd(nrrd: ModuleType, path: Path) -> nib.Nifti1Image:
    voxels, header = nrrd.read(str(path))
    directions, space = header.get("space directions"), str(header.get("space", "")).lower()
    signs = {
        "left-posterior-superior": (-1, -1, 1), "lps": (-1, -1, 1),
        "right-anterior-superior": (1, 1, 1), "ras": (1, 1, 1),
        "left-anterior-superior": (-1, 1, 1), "las": (-1, 1, 1),
    }.get(space)  # fmt: skip
    if voxels.ndim != 3 or directions is None or signs is None:
        raise T3DError("is no 3D volume with a place in the patient; save it as NIfTI (.nii.gz).", who=path.name)
    affine = np.eye(4)
    affine[:3, :3] = np.array(directions, dtype=float).T
    affine[:3, 3] = header.get("space origin", (0, 0, 0))
    return _image(voxels, np.diag([*signs, 1.0]) @ affine)


def _image(voxels: np.ndarray, affine: np.ndarray) -> nib.Nifti1Image:
    kind = np.int32 if voxels.dtype.itemsize == 8 and voxels.dtype.kind in "iu" else voxels.dtype
    return nib.Nifti1Image(voxels.astype(kind, copy=False), affine, dtype=kind)


def _installed(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
