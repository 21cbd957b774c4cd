"""What a NIfTI header says that no loader complains about."""

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import nibabel as nib
import numpy as np

from t3d.volume.file_kind import is_gzip, is_nifti
from t3d.volume.volume_shape import volume_shape_fault

PLAUSIBLE_MM = (0.05, 50.0)
# zlib cannot shrink more than 1032-fold.
LARGEST_RATIO = 1032
# Headers hold float32; what moves no voxel by more than this is rounding.
TOLERANCE_MM = 1e-2
TILT_TOLERANCE = 0.5  # degrees, as for DICOM series


@dataclass(frozen=True)
class HeaderFault:
    """What is wrong with a header.

    Attributes:
        kind: what it is about; a wrong spacing does not keep the voxels from being looked at, the others do.
        what: what was found and the remedy, without the file's name.
    """

    kind: Literal["voxels", "shape", "size", "affine", "spacing"]
    what: str

    def __str__(self) -> str:
        """What was found and the remedy, to follow the file's name."""
        return self.what


def header_faults(image: nib.spatialimages.SpatialImage, path: Path) -> list[HeaderFault]:
    """What keeps a file from being one volume with a usable grid, each with its remedy; reads no voxels.

    Args:
        image: as nibabel opened it.
        path: its file, for the header's raw fields and the size.
    """
    dtype = image.get_data_dtype()
    if dtype.fields or dtype.kind == "c":
        return [HeaderFault("voxels", "has colour (RGB) or complex voxels; save it with one real number a voxel")]
    fault = volume_shape_fault(image.shape)
    if fault:
        return [HeaderFault("shape", fault)]
    faults = _claims_too_much(image, path)
    affine = np.asarray(image.affine, dtype=np.float64)[:3, :3]
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine)) < 1e-9:
        unusable = "has no usable affine (spacing or direction is zero); export it again"
        return [*faults, HeaderFault("affine", unusable)]
    return [*faults, *(HeaderFault("spacing", what) for what in _spacing_faults(image, path, affine))]


def _spacing_faults(image: nib.spatialimages.SpatialImage, path: Path, affine: np.ndarray) -> list[str]:
    faults = []
    raw = _raw_header(image, path)
    if raw is not None:
        sides = raw["pixdim"][1:4]
        if not (np.isfinite(sides).all() and (sides > 0).all()):
            faults.append(f"has the spacing (pixdim) {_list(sides)}; correct the header")
    units = image.header.get_xyzt_units()[0] if hasattr(image.header, "get_xyzt_units") else "unknown"
    if units not in ("mm", "unknown"):
        faults.append(f"states its spacing in {units}, which readers take for mm; convert the header to mm")
    spacing = np.linalg.norm(affine, axis=0)
    if not ((spacing >= PLAUSIBLE_MM[0]) & (spacing <= PLAUSIBLE_MM[1])).all():
        low, high = PLAUSIBLE_MM
        faults.append(f"has the spacing {_list(spacing)} mm, beyond {low:g} to {high:g}; correct the header")
    return [*faults, *_reader_dependent(image)]


def header_doubts(image: nib.spatialimages.SpatialImage) -> list[str]:
    """What deserves a look: shear, an orientation that is guessed, or that depends on the reader."""
    if not isinstance(image, nib.Nifti1Image):
        return []
    angle = _most_askew(np.asarray(image.affine, dtype=np.float64)[:3, :3])
    if angle > TILT_TOLERANCE:
        return [f"has axes {angle:.1f} degrees off a right angle (a tilted gantry?); resampling makes them straight"]
    (qform, q_code), (sform, s_code) = image.get_qform(coded=True), image.get_sform(coded=True)
    if not q_code and not s_code:
        return ["has neither qform nor sform, so its orientation is a guess; export it with one"]
    if q_code and s_code and nib.aff2axcodes(qform) != nib.aff2axcodes(sform):
        q, s = ("".join(nib.aff2axcodes(form)) for form in (qform, sform))
        return [f"has the qform {q} and the sform {s}; T3D uses the sform, other readers may not: make them agree"]
    return []


def _reader_dependent(image: nib.spatialimages.SpatialImage) -> list[str]:
    """Whether MONAI's reader would silently take the qform for the sform, which it does when pixdim says so.

    See ``monai.data.utils.rectify_header_sform_qform``; a qform that was never set has the axes unturned.
    """
    if not isinstance(image, nib.Nifti1Image) or not image.get_sform(coded=True)[1]:
        return []
    sides = np.asarray(image.header.get_zooms()[:3], dtype=np.float64)
    qform = image.get_qform()
    norms = [np.linalg.norm(form[:3, :3], axis=0) for form in (image.affine, qform)]
    if np.allclose(norms[0], sides) or not np.allclose(norms[1], sides):
        return []
    corners = np.array(np.meshgrid(*[(0, side - 1) for side in image.shape[:3]])).reshape(3, -1)
    moved = ((image.affine - qform) @ np.vstack([corners, np.ones(corners.shape[1])]))[:3]
    if np.linalg.norm(moved, axis=0).max() <= TOLERANCE_MM:
        return []
    names = ["".join(nib.aff2axcodes(form)) for form in (image.affine, qform)]
    return [
        f"has the spacing (pixdim) {_list(sides)}, which is not that of its sform ({names[0]}, {_list(norms[0])} mm), "
        f"so that readers take the qform ({names[1]}); correct the header"
    ]


def _claims_too_much(image: nib.spatialimages.SpatialImage, path: Path) -> list[HeaderFault]:
    if not is_nifti(path):
        return []
    size = path.stat().st_size
    claimed = int(np.prod([int(n) for n in image.shape], dtype=object)) * image.get_data_dtype().itemsize
    if claimed <= size * (LARGEST_RATIO if is_gzip(path) else 1):
        return []
    what = f"claims {claimed / 2**20:.1f} MiB of voxels, the file has {size} bytes; copy or export it again"
    return [HeaderFault("size", what)]


def _raw_header(image: nib.spatialimages.SpatialImage, path: Path) -> Any:
    """The header before nibabel mends it, which it does without a word."""
    if not isinstance(image, nib.Nifti1Image) or not is_nifti(path):
        return None
    with gzip.open(path) if is_gzip(path) else open(path, "rb") as stream:
        return type(image.header).from_fileobj(stream, check=False)


def _most_askew(affine: np.ndarray) -> float:
    sides = np.linalg.norm(affine, axis=0)
    if not np.isfinite(affine).all() or (sides < 1e-9).any():
        return 0.0
    directions = affine / sides
    cosines = np.abs(directions.T @ directions - np.eye(3))
    return float(np.degrees(np.arcsin(np.clip(cosines.max(), 0, 1))))


def _list(values: np.ndarray) -> str:
    return "[" + ", ".join(f"{value:.4g}" for value in values) + "]"
