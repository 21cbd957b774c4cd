"""Corrupted crops of a held-out case, around organs and lesions, that are the same for every network."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from monai.transforms import Compose, RandCropByLabelClassesd, SpatialPadd
from monai.utils import ensure_tuple_rep
from torch import Tensor

from t3d.bundle.steps import Preparation, scaled_on_grid
from t3d.data.name_numbers import name_numbers
from t3d.transforms.corruption import RandCorruptViewsd
from t3d.volume.load import LoadVolumed

REGIONS = ("lesions", "organs")
_BODY = 0.2  # of the scaled image, smoothed, above which there is body
# background is drawn where a case has nothing else
_RATIOS: list[float | int] = [1e-6, 1.0, 1.0]


class Crops(NamedTuple):
    """K crops of one case, (1, K, 1, X, Y, Z) each.

    Attributes:
        clean, corrupted: in [0, 1].
        masks: ``lesions``, ``organs`` without them, and ``body``, bool.
    """

    clean: Tensor
    corrupted: Tensor
    masks: dict[str, Tensor]


class RestoredCrops:
    """Draws the crops of a case by its name: the same for every network that takes images of this preparation.

    Half of them lie around lesions where the case has some, the others around organs.

    Args:
        preparation: spacing, orientation, HU window.
        regions: label values of ``lesions`` and of ``organs``.
        crop_size: voxels per side, one number or three.
        crops: K.
        corruption: share of a crop's voxels.
    """

    def __init__(
        self,
        *,
        preparation: Preparation,
        regions: Mapping[str, Sequence[int]],
        crop_size: int | Sequence[int],
        crops: int,
        corruption: float,
    ) -> None:
        size, keys = ensure_tuple_rep(crop_size, 3), ("image", "label")
        self.regions = regions
        self.load = LoadVolumed(keys)
        crop = RandCropByLabelClassesd(
            keys, label_key="label", spatial_size=size, ratios=_RATIOS, num_classes=3, num_samples=crops, warn=False
        )
        self.cut = Compose([*scaled_on_grid(preparation, label=True), SpatialPadd(keys, spatial_size=size), crop])
        self.corrupt = RandCorruptViewsd("image", share=corruption)

    def __call__(self, item: Mapping[str, Any]) -> Crops:
        """The crops of an item with ``case_id`` and the paths ``image`` and ``label``."""
        seed = int(name_numbers([item["case_id"]])[0]) % 2**32
        case = self.load({key: item[key] for key in ("case_id", "image", "label")})
        values = case["label"]
        numbers = [torch.isin(values.as_tensor(), torch.as_tensor(self.regions[name])) for name in REGIONS]
        case["label"] = values * 0 + numbers[0] + 2 * numbers[1]
        self.cut.set_random_state(seed=seed)
        self.corrupt.set_random_state(seed=seed)
        cut = self.cut(case)
        clean, label = (torch.stack([crop[key].as_tensor() for crop in cut]) for key in ("image", "label"))
        corrupted = self.corrupt({"image": clean})["corrupted"]
        masks = {name: label == number for number, name in enumerate(REGIONS, start=1)}
        masks["body"] = F.avg_pool3d(clean, 3, 1, 1) > _BODY
        return Crops(clean[None], corrupted[None], {name: mask[None] for name, mask in masks.items()})
