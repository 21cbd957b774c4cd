"""The one way to a volume: whatever file or folder it is, an image with its header, or one sentence."""

import gzip
from pathlib import Path
from typing import NamedTuple, cast

import nibabel as nib
import numpy as np
from nibabel.spatialimages import SpatialImage

from t3d.errors import T3DError
from t3d.volume.dicom_frame import is_dicom
from t3d.volume.dicom_series import open_series
from t3d.volume.file_kind import exists, is_gzip, is_nifti
from t3d.volume.in_words import in_words
from t3d.volume.nifti_header import HeaderFault, header_doubts, header_faults
from t3d.volume.other_formats import is_other_format, open_other
from t3d.volume.store import is_stored, open_stored


class CtHeader(NamedTuple):
    """What a file says of itself before its voxels are read.

    Attributes:
        image: as ``open_image`` gives it; its voxels are read when ``dataobj`` is sliced.
        faults: what keeps it from being one volume on a usable grid, each with its remedy.
        doubts: what deserves a look.
    """

    image: SpatialImage
    faults: list[HeaderFault]
    doubts: list[str]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the file, (X, Y, Z) and possibly further axes."""
        return tuple(int(side) for side in self.image.shape)

    @property
    def affine(self) -> np.ndarray:
        """(4, 4), voxels to RAS millimetres."""
        return np.asarray(self.image.affine, dtype=np.float64)


def read_header(path: str | Path, *, keep_file_open: bool | None = None) -> CtHeader:
    """The header of a volume, checked; reads no voxels.

    This is what check, prepare, training, inference and MONAI Label believe of a file: what passes here has one
    reading.

    Args:
        path, keep_file_open: as for ``open_image``.

    Raises:
        T3DError: as ``open_image``; what is wrong with a readable header is in ``faults``.
    """
    path = Path(path)
    image = open_image(path, keep_file_open=keep_file_open)
    with in_words(f"the header of {path.name}"):
        faults = header_faults(image, path)
        hopeless = len(image.shape) < 3 or not np.isfinite(image.affine).all()
        return CtHeader(image, faults, [] if hopeless else header_doubts(image))


def open_image(path: str | Path, *, keep_file_open: bool | None = None) -> SpatialImage:
    """nibabel's image of a volume; voxels are read when ``dataobj`` is sliced.

    Args:
        path: NIfTI file, also compressed under a wrong ending; file of the prepared store; folder of one DICOM series
            or multi-frame DICOM file; .nrrd, .mha or .mhd where a package reads them.
        keep_file_open: as for nibabel; kept open, a compressed stream is read forward once.

    Raises:
        T3DError: missing, damaged, or of a kind that is not read.
    """
    path = Path(path)
    with in_words(path.name):
        if is_stored(path):
            stored = open_stored(path)
            return nib.Nifti1Image(stored, stored.affine, dtype=stored.dtype)
        if exists(path) and path.is_dir():
            return open_series(path)
        if not exists(path):
            raise T3DError(f"does not exist in {path.parent}; correct the path or restore the file.", who=path.name)
        if not path.is_file():
            raise T3DError("is neither a file nor a folder; correct the path.", who=path.name)
        if is_nifti(path):
            return _mislabelled(path) or cast(SpatialImage, nib.load(path, keep_file_open=keep_file_open))
        if is_other_format(path):
            return open_other(path)
        if is_dicom(path):
            return open_series(path)
        return _other_nifti(path, keep_file_open)


def _mislabelled(path: Path) -> SpatialImage | None:
    """The image of a compressed file called ``.nii``, or of a plain one called ``.nii.gz``."""
    compressed = is_gzip(path)
    if compressed == path.name.lower().endswith(".gz"):
        return None
    stream = gzip.open(path) if compressed else open(path, "rb")  # noqa: SIM115 - the image keeps it
    kinds = (nib.Nifti1Image, nib.Nifti2Image)
    start = stream.read(4)
    stream.seek(0)
    kind = kinds[1] if 540 in (int.from_bytes(start, end) for end in ("little", "big")) else kinds[0]
    holder = nib.fileholders.FileHolder(filename=str(path), fileobj=stream)
    return kind.from_file_map({"header": holder, "image": holder})


def _other_nifti(path: Path, keep_file_open: bool | None) -> SpatialImage:
    """A NIfTI pair (.hdr and .img) or an .mgz; other kinds have no orientation or are no image."""
    try:
        image = nib.load(path, keep_file_open=keep_file_open)
    except nib.filebasedimages.ImageFileError:
        image = None
    if isinstance(image, nib.Nifti1Pair | nib.MGHImage):
        return image
    raise T3DError(
        "is of a kind that T3D does not read; convert it to NIfTI (.nii.gz), for example with 3D Slicer.",
        who=path.name,
    )
