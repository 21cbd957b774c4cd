"""Loading volumes, with every fault of a file said in the words of the case."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import LoadImage, MapTransform

from t3d.errors import T3DError
from t3d.volume.file_kind import exists
from t3d.volume.in_words import in_words
from t3d.volume.label_on_image import lay_on
from t3d.volume.reader import VolumeReader
from t3d.volume.volume_shape import volume_shape_fault


class LoadVolumed(MapTransform):
    """MONAI's `LoadImage` (channel first, image only) for one CT volume or label map per key.

    The item's path becomes a MetaTensor (1, X, Y, Z) with the file's affine (voxels to RAS millimetres). See
    ``t3d.volume.image_file.open_image`` for the kinds of files. A ``label`` that is loaded beside its ``image`` is
    turned to the image's axes, where it is stored in others, and gets the image's affine.

    Args:
        keys: keys holding paths.
        dtype: voxel type of the result.
        allow_missing_keys: skip keys that the item lacks, such as an optional label.
        spacing, orientation: of the configuration; files of the prepared store must have been prepared for them.

    Raises:
        T3DError: the label is on other voxels than the image; the file is missing, truncated or not an image; it is
            2D or 4D (further axes of length 1 are accepted); its affine is singular; voxels are NaN or infinite; or
            it is of the prepared store and damaged or of another grid.
    """

    def __init__(
        self,
        keys: KeysCollection = "image",
        *,
        dtype: np.dtype | type = np.float32,
        allow_missing_keys: bool = False,
        spacing: Sequence[float] | float | None = None,
        orientation: str | None = None,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.load = LoadImage(image_only=True, ensure_channel_first=True, dtype=dtype)
        self.load.register(VolumeReader(spacing=spacing, orientation=orientation))

    def __call__(self, data: Mapping[Any, Any]) -> dict[Any, Any]:
        """A copy of the item with the volumes in place of the paths."""
        item = dict(data)
        for key in self.key_iterator(item):
            path = Path(item[key])
            item[key] = self._volume(path, f"case {item.get('case_id', path.name)}: {key} {path.name}")
        if isinstance(item.get("label"), MetaTensor) and isinstance(item.get("image"), MetaTensor):
            item["label"] = lay_on(item["label"], item["image"], f"case {item.get('case_id', 'unknown')}")
        return item

    def _volume(self, path: Path, who: str) -> MetaTensor:
        if not exists(path):
            raise T3DError(f"{who} does not exist in {path.parent}; correct the path or restore the file.")
        try:
            with in_words(path.name):
                volume = self.load(path)
        except T3DError as error:
            raise T3DError(error.said_of(who)) from error
        # LoadImage moves a fourth axis to the front, or puts a new one there.
        fault = volume_shape_fault((*volume.shape[1:], volume.shape[0]))
        if fault:
            raise T3DError(f"{who} {fault}.")
        affine = torch.as_tensor(volume.affine)
        if not torch.isfinite(affine).all() or abs(float(torch.linalg.det(affine[:3, :3]))) < 1e-9:
            raise T3DError(f"{who} has no usable affine (spacing or direction is zero); export it again.")
        volume = volume.reshape(volume.shape[:4])
        finite = torch.isfinite(volume.as_tensor())
        if not finite.all():
            bad = int(finite.numel() - finite.sum())
            raise T3DError(
                f"{who} has {bad} voxels that are NaN or infinite; replace them, for example with -1024 HU."
            )
        return volume
