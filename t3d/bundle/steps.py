"""The one way from a CT file to what a network sees, for every stage of every bundle."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from monai.transforms import (
    Compose,
    Orientationd,
    ScaleIntensityRanged,
    Spacingd,
    Transform,
)

from t3d.transforms.lazy_volume import LazyVolumed
from t3d.volume.listed import is_prepared
from t3d.volume.load import LoadVolumed


class Preparation(TypedDict):
    """How images are prepared, as it stands in configurations and in the records beside weights.

    Attributes:
        spacing: mm per voxel, one number for each axis.
        orientation: axis codes such as "RAS".
        hu_range: the HU that become 0 and 1; values outside are clipped.
    """

    spacing: Sequence[float]
    orientation: str
    hu_range: Sequence[float]


def scaled_on_grid(preparation: Preparation, *, label: bool = False) -> list[Transform]:
    """From a loaded CT (1, X, Y, Z) in HU to the network's grid and intensities.

    Args:
        preparation: spacing, orientation, HU window.
        label: bring ``label`` along where an item has one, by its nearest voxels.
    """
    keys, mode = (("image", "label"), ("bilinear", "nearest")) if label else (("image",), ("bilinear",))
    return [
        Orientationd(keys, axcodes=preparation["orientation"], allow_missing_keys=label),
        Spacingd(keys, pixdim=preparation["spacing"], mode=mode, allow_missing_keys=label),
        hu_window(preparation),
    ]


def hu_window(preparation: Preparation) -> Transform:
    """HU to [0, 1], clipped."""
    low, high = preparation["hu_range"]
    return ScaleIntensityRanged("image", a_min=low, a_max=high, b_min=0.0, b_max=1.0, clip=True)


def image_steps(preparation: Preparation, *, label: bool = False) -> list[Transform]:
    """From the path under ``image`` to the prepared volume; a faulty file is said in the words of the case.

    Args:
        preparation: spacing, orientation, HU window.
        label: bring ``label`` along where an item has one.
    """
    keys = ("image", "label") if label else ("image",)
    spacing, orientation = preparation["spacing"], preparation["orientation"]
    load = LoadVolumed(keys, allow_missing_keys=label, spacing=spacing, orientation=orientation)
    return [load, *scaled_on_grid(preparation, label=label)]


def volume_steps(preparation: Preparation) -> Compose:
    """``image_steps`` as one transform."""
    return Compose(image_steps(preparation))


def stored_volume(
    preparation: Preparation, *, body_level: float | None = None, margin: int = 4, label: bool = False
) -> Transform:
    """``image_steps`` for a file of the prepared store, of which only the crops are read.

    Args:
        preparation: what the file must have been prepared for, and the HU window.
        body_level, margin: keep the bounding box of everything above this level and so many voxels around it; None
            keeps the whole volume.
        label: bring ``label`` along where an item has one.
    """
    label_key = "label" if label else None
    return LazyVolumed("image", **preparation, body_level=body_level, margin=margin, label_key=label_key)


def is_prepared_for(datalist_file: str | Path, *, preparation: Preparation) -> bool:
    """Whether the files of a datalist are those of ``t3d prepare``; see ``is_prepared``.

    Raises:
        T3DError: they are, for another grid.
    """
    return is_prepared(datalist_file, spacing=preparation["spacing"], orientation=preparation["orientation"])
