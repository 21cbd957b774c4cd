"""What happens to a case of the segmentation bundle before the network sees it: whole volumes and training crops."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from monai.transforms import (
    Compose,
    DeleteItemsd,
    EnsureChannelFirstd,
    LoadImaged,
    MapLabelValued,
    RandCropByLabelClassesd,
    RandCropByPosNegLabeld,
    SpatialPadd,
    Transform,
)
from monai.utils import ensure_tuple_rep
from torch import nn

from t3d.bundle.augmentation import flips_and_jitter
from t3d.bundle.steps import Preparation, hu_window, scaled_on_grid
from t3d.monai_label.request_check import CheckRequest
from t3d.transforms.lazy_label_crops import LazyLabelCropsd
from t3d.volume.label_on_image import LabelOnImaged
from t3d.volume.label_table import class_values
from t3d.volume.reader import VolumeReader

_KEYS = ("image", "label")


def case_steps(*, preparation: Preparation, labels: Mapping[str, Any], prepared: bool = False) -> Compose:
    """Whole volumes with their labels where they have any: validation and evaluation, and training on raw files.

    Args:
        preparation: spacing, orientation, HU window.
        labels: the label table.
        prepared: the files are those of ``t3d prepare``; they must have been prepared for the same grid.
    """
    return Compose(
        [
            *_loaded(_KEYS, preparation),
            _class_numbers(labels),
            *scaled_on_grid(preparation, label=True),
        ]
    )


def served_steps(*, preparation: Preparation, weights: str, network: nn.Module) -> Compose:
    """Whole volumes without labels: inference, also of a MONAI Label server, which reads this flat list by class.

    Args:
        preparation: spacing, orientation, HU window.
        weights, network: what a server would load into what; see ``CheckRequest``.
    """
    check = CheckRequest(weights=weights, network=network)
    return Compose([check, *_loaded(("image",), preparation), *scaled_on_grid(preparation)])


def crop_steps(
    *,
    preparation: Preparation,
    labels: Mapping[str, Any],
    crop_size: int | Sequence[int],
    crops_per_case: int,
    foreground_ratio: float = 1.0,
    crop_ratios: Sequence[float] | None = None,
    lesion_classes: Sequence[str] = (),
    flip: float = 0.0,
    intensity_jitter: float = 0.0,
    prepared: bool = False,
) -> Compose:
    """Random crops of a case, on foreground or background or by the classes' ratios, flipped and jittered.

    Args:
        preparation, labels: those of ``case_steps``.
        crop_size: voxels per side, one number or three.
        crops_per_case: crops of one volume in a batch.
        foreground_ratio: crops centred on foreground for each one on background.
        crop_ratios: instead, how often a crop is centred on each class, background first.
        lesion_classes: names of classes whose single lesions are drawn alike, however small (prepared cases only).
        flip: probability of mirroring each axis.
        intensity_jitter: see ``flips_and_jitter``.
        prepared: crop the files of the store as they are, in HU and label values; else volumes after ``case_steps``.
    """
    table, window = class_values(labels), ensure_tuple_rep(crop_size, 3)
    random = flips_and_jitter(_KEYS, flip=(flip,) * 3, jitter=intensity_jitter)
    if not prepared:
        options: dict[str, Any] = {"label_key": "label", "spatial_size": window, "num_samples": crops_per_case}
        crop: Transform = RandCropByPosNegLabeld(_KEYS, **options, pos=foreground_ratio, neg=1)
        if crop_ratios is not None:
            crop = RandCropByLabelClassesd(
                _KEYS, **options, ratios=list(crop_ratios), num_classes=len(table), warn=False
            )
        return Compose([SpatialPadd(_KEYS, spatial_size=window), crop, *random])
    crops = LazyLabelCropsd(
        crop_size=window,
        class_values=list(table.values()),
        num_samples=crops_per_case,
        ratios=crop_ratios,
        foreground_ratio=foreground_ratio,
        lesion_classes=[number for number, name in enumerate(table) if name in lesion_classes],
        spacing=preparation["spacing"],
        orientation=preparation["orientation"],
        pad_hu=preparation["hu_range"][0],
    )
    return Compose([crops, _class_numbers(labels), hu_window(preparation), *random])


def _loaded(keys: Sequence[str], preparation: Preparation) -> list[Transform]:
    reader = VolumeReader(spacing=preparation["spacing"], orientation=preparation["orientation"])
    labels = [LabelOnImaged("label")] if "label" in keys else []
    return [
        # MONAI Label looks for this class and asks it for the file's header; MONAI takes a reader and types its class
        LoadImaged(keys, reader=reader, allow_missing_keys=bool(labels)),  # type: ignore[arg-type]
        EnsureChannelFirstd(keys, allow_missing_keys=bool(labels)),
        *labels,
        # MONAI Label puts a string there, and Spacingd of MONAI 1.6 takes every image_* for a dict
        DeleteItemsd("image_path"),
    ]


def _class_numbers(labels: Mapping[str, Any]) -> Transform:
    table = list(class_values(labels).values())
    return MapLabelValued(
        "label",
        orig_labels=[value for values in table for value in values],
        target_labels=[number for number, values in enumerate(table) for _ in values],
        dtype=np.uint8,
        allow_missing_keys=True,
    )
