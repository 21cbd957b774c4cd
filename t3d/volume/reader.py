"""MONAI's image loading for every kind of volume that T3D reads, so that its own choice of a reader never counts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from monai.data import ImageReader
from monai.data.image_reader import NibabelReader
from monai.data.utils import correct_nifti_header_if_necessary
from monai.utils import MetaKeys, SpaceKeys, ensure_tuple

from t3d.volume.file_kind import is_nifti
from t3d.volume.image_file import open_image
from t3d.volume.in_words import in_words
from t3d.volume.listed import check_grid
from t3d.volume.store import is_stored, open_stored


class VolumeReader(ImageReader):
    """Reads one volume for ``LoadImage`` and ``LoadImaged``: NIfTI, DICOM series, the prepared store, .nrrd, .mha.

    Given as their ``reader`` it is the only one, also where ITK is installed, whose reader loses slices of a DICOM
    series without a word; see ``t3d.volume.image_file.open_image`` for what is read. ``LoadImage`` tries its other
    readers when one fails to open a file, so nothing is opened before the voxels are asked for.

    Args:
        spacing, orientation: of the configuration; files of the prepared store must have been prepared for them.
            None is not compared.
    """

    def __init__(self, *, spacing: Sequence[float] | float | None = None, orientation: str | None = None) -> None:
        super().__init__()
        self.spacing, self.orientation = spacing, orientation

    def verify_suffix(self, filename: Any) -> bool:
        """Always true: what this reader does not read, no other one may guess at."""
        return True

    def read(self, data: Any, **kwargs: Any) -> Path:
        """The path; see above."""
        (name,) = ensure_tuple(data)
        return Path(name)

    def get_data(self, img: Path) -> tuple[np.ndarray, dict]:
        """The voxels (X, Y, Z), and the meta data that MONAI's NIfTI reader gives.

        Raises:
            T3DError: cannot be read, or prepared for another grid.
        """
        if is_stored(img):
            stored = open_stored(img)
            check_grid(img.name, stored.spacing, stored.orientation, self.spacing, self.orientation)
            return stored[:], _meta(stored.affine, stored.shape)
        image = open_image(img)
        with in_words(img.name):
            if is_nifti(img) or isinstance(image, nib.Nifti1Pair) and not isinstance(image, nib.Nifti1Image):
                reader = NibabelReader(squeeze_non_spatial_dims=True)
                reader.filenames = (str(img),)
                return reader.get_data(correct_nifti_header_if_necessary(image))
            return np.asarray(image.dataobj), _meta(image.affine, image.shape)


class StoreReader(VolumeReader):
    """The name that configs of 0.1.0 have for ``VolumeReader``."""


def _meta(affine: np.ndarray, shape: Sequence[int]) -> dict:
    return {
        MetaKeys.AFFINE: np.array(affine, dtype=np.float64),
        MetaKeys.ORIGINAL_AFFINE: np.array(affine, dtype=np.float64),
        MetaKeys.SPATIAL_SHAPE: np.array(shape),
        MetaKeys.SPACE: SpaceKeys.RAS,
        MetaKeys.ORIGINAL_CHANNEL_DIM: float("nan"),
    }
