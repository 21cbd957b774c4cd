"""MONAI's image loading for files of the prepared store."""

from collections.abc import Sequence

import numpy as np
from monai.data import ImageReader, is_supported_format
from monai.utils import MetaKeys, SpaceKeys, ensure_tuple

from t3d.volume.listed import check_grid
from t3d.volume.store import ENDING, StoredVolume, open_stored


class StoreReader(ImageReader):
    """Reads a whole ``.b2nd`` file of the store for ``LoadImage`` and ``LoadImaged``.

    Orientation and Spacing then find nothing to do.

    Args:
        spacing, orientation: of the configuration; a file prepared for others is refused. None is not compared.
    """

    def __init__(self, *, spacing: Sequence[float] | float | None = None, orientation: str | None = None) -> None:
        super().__init__()
        self.spacing, self.orientation = spacing, orientation

    def verify_suffix(self, filename) -> bool:
        """Whether the name is that of a stored volume."""
        return is_supported_format(filename, [ENDING.removeprefix(".")])

    def read(self, data, **kwargs) -> StoredVolume:
        """Open the file; nothing is read yet.

        Raises:
            T3DError: damaged, or prepared for another grid.
        """
        (name,) = ensure_tuple(data)
        stored = open_stored(name)
        check_grid(str(name).rsplit("/", 1)[-1], stored.spacing, stored.orientation, self.spacing, self.orientation)
        return stored

    def get_data(self, img: StoredVolume) -> tuple[np.ndarray, dict]:
        """The voxels (R, A, S) and the meta data that MONAI's NIfTI reader gives too."""
        return img[:], {
            MetaKeys.AFFINE: img.affine.copy(),
            MetaKeys.ORIGINAL_AFFINE: img.affine.copy(),
            MetaKeys.SPATIAL_SHAPE: np.array(img.shape),
            MetaKeys.SPACE: SpaceKeys.RAS,
            MetaKeys.ORIGINAL_CHANNEL_DIM: float("nan"),
        }
