"""The way back: from a network's output to a label map on the grid of the file that came in."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from monai.transforms import (
    Activationsd,
    AsDiscreted,
    Compose,
    CopyItemsd,
    Invertd,
    Lambdad,
    MapLabelValued,
    SaveImaged,
    Transform,
)
from torch import Tensor

from t3d.transforms.like_input import LikeInputd
from t3d.volume.label_table import class_values


def grid_back(
    *,
    preprocessing: Compose,
    labels: Mapping[str, Any],
    output_dir: str | Path,
    save_probabilities: bool = False,
    lesion_classes: Sequence[str] = (),
) -> Compose:
    """Classes, original grid, values of the label table, files: ``CASE_pred.nii.gz``, if asked ``CASE_prob.nii.gz``.

    The list is flat: a MONAI Label server leaves out its savers by their class.

    Args:
        preprocessing: what is inverted: the transforms that the image came through.
        labels: the label table; a class is written with its first value, as uint8 or, where a value needs it, uint16.
        output_dir: where the files go.
        save_probabilities: also write the softmax, one float32 channel for each class.
        lesion_classes: names of classes whose probabilities are kept in the item, a channel each under
            ``lesion_prob``, for scores of single lesions.
    """
    kind = _label_type(labels)
    # a name that is no class is refused where the lesions are measured
    channels = [number for name in lesion_classes for number, one in enumerate(class_values(labels)) if one == name]
    lesions = _lesion_probabilities(channels, preprocessing) if channels else []
    probabilities = [CopyItemsd("pred", names="prob"), Activationsd("prob", softmax=True)]
    return Compose(
        [
            *lesions,
            *(probabilities if save_probabilities else []),
            *label_map(preprocessing=preprocessing, labels=labels),
            *([_inverted("prob", preprocessing, nearest=False)] if save_probabilities else []),
            LikeInputd(("pred", "prob")),
            _saved("pred", output_dir, kind),
            *([_saved("prob", output_dir, np.float32)] if save_probabilities else []),
        ]
    )


def _lesion_probabilities(channels: Sequence[int], preprocessing: Compose) -> list[Transform]:
    key = "lesion_prob"
    return [
        CopyItemsd("pred", names=key),
        Activationsd(key, softmax=True),
        # before the way back: a channel takes 4 bytes a voxel of the larger grid
        Lambdad(key, partial(_channels, channels)),
        _inverted(key, preprocessing, nearest=False),
    ]


def _channels(channels: Sequence[int], probability: Tensor) -> Tensor:
    return probability[list(channels)]


def label_map(*, preprocessing: Compose, labels: Mapping[str, Any]) -> list[Transform]:
    """From logits (classes, X, Y, Z) under ``pred`` to the label table's values on the grid that ``image`` came in.

    Args:
        preprocessing, labels: see ``grid_back``.
    """
    values = list(class_values(labels).values())
    return [
        # first the classes, which take a byte a voxel on the larger grid, where logits would take 4 for each class
        AsDiscreted("pred", argmax=True),
        _inverted("pred", preprocessing, nearest=True),
        MapLabelValued(
            "pred",
            orig_labels=list(range(len(values))),
            target_labels=[numbers[0] for numbers in values],
            dtype=_label_type(labels),
        ),
    ]


def _label_type(labels: Mapping[str, Any]) -> type:
    return np.uint8 if max(max(numbers) for numbers in class_values(labels).values()) < 256 else np.uint16


def _inverted(key: str, preprocessing: Compose, *, nearest: bool) -> Transform:
    return Invertd(key, transform=preprocessing, orig_keys="image", nearest_interp=nearest)


def _saved(key: str, folder: str | Path, kind: type) -> Transform:
    return SaveImaged(
        key,
        output_dir=folder,
        output_postfix=key,
        output_dtype=kind,
        separate_folder=False,
        resample=False,
        print_log=False,
    )
