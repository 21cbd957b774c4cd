"""What a NIfTI header says that no loader complains about."""

from pathlib import Path

import nibabel as nib
import numpy as np

from t3d.data.volume_shape import volume_shape_fault

# Ours: as for the gantry tilt of DICOM series, in degrees off a right angle.
TILT_TOLERANCE = 0.5
PLAUSIBLE_MM = (0.05, 20.0)
# zlib cannot shrink more than 1032-fold.
LARGEST_RATIO = 1032


def header_faults(image: nib.spatialimages.SpatialImage, path: Path) -> list[str]:
    """What keeps a file from being one volume with a usable grid, each with its remedy; reads no voxels.

    Args:
        image: as nibabel opened it.
        path: its file, for the header's raw fields and the size.
    """
    dtype = image.get_data_dtype()
    if dtype.fields or dtype.kind == "c":
        return ["has colour (RGB) or complex voxels; save it with one real number a voxel"]
    fault = volume_shape_fault(image.shape)
    if fault:
        return [fault]
    faults = _claims_too_much(image, path)
    affine = np.asarray(image.affine, dtype=np.float64)[:3, :3]
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine)) < 1e-9:
        return [*faults, "has no usable affine (spacing or direction is zero); export it again"]
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
    angle = _most_askew(affine / spacing)
    if angle > TILT_TOLERANCE:
        faults.append(
            f"has axes {angle:.1f} degrees off a right angle (shear, as of a tilted gantry); resample it to "
            "a straight grid"
        )
    return faults


def header_doubts(image: nib.spatialimages.SpatialImage) -> list[str]:
    """What deserves a look: an orientation that is guessed, or that depends on the reader."""
    if not isinstance(image, nib.Nifti1Image):
        return []
    (qform, q_code), (sform, s_code) = image.get_qform(coded=True), image.get_sform(coded=True)
    if not q_code and not s_code:
        return ["has neither qform nor sform, so its orientation is a guess; export it with one"]
    if q_code and s_code and nib.aff2axcodes(qform) != nib.aff2axcodes(sform):
        q, s = ("".join(nib.aff2axcodes(form)) for form in (qform, sform))
        return [f"has the qform {q} and the sform {s}; T3D uses the sform, other readers may not: make them agree"]
    return []


def _claims_too_much(image: nib.spatialimages.SpatialImage, path: Path) -> list[str]:
    size = path.stat().st_size
    claimed = int(np.prod([int(n) for n in image.shape], dtype=object)) * image.get_data_dtype().itemsize
    if claimed <= size * (LARGEST_RATIO if path.name.endswith((".gz", ".bz2", ".zst")) else 1):
        return []
    return [f"claims {claimed / 2**20:.1f} MiB of voxels, the file has {size} bytes; copy or export it again"]


def _raw_header(image: nib.spatialimages.SpatialImage, path: Path):
    """The header before nibabel mends it, which it does without a word."""
    if not isinstance(image, nib.Nifti1Image):
        return None
    with nib.openers.ImageOpener(path) as stream:
        return type(image.header).from_fileobj(stream, check=False)


def _most_askew(directions: np.ndarray) -> float:
    cosines = np.abs(directions.T @ directions - np.eye(3))
    return float(np.degrees(np.arcsin(np.clip(cosines.max(), 0, 1))))


def _list(values: np.ndarray) -> str:
    return "[" + ", ".join(f"{value:.4g}" for value in values) + "]"
