"""A label file as it is stored, brought to the axes of a prediction without changing a value."""

from collections.abc import Collection
from pathlib import Path
from typing import NoReturn

import numpy as np
from nibabel.orientations import apply_orientation

from t3d.errors import T3DError
from t3d.volume.image_file import open_image
from t3d.volume.in_words import in_words
from t3d.volume.label_table import LARGEST_VALUE
from t3d.volume.same_voxels import Placement, place_on
from t3d.volume.volume_shape import volume_shape_fault
from t3d.volume.whole_numbers import whole_numbers


def read_label_on_grid(
    file: str | Path, *, shape: tuple[int, int, int], affine: np.ndarray, case: str, values: Collection[int]
) -> np.ndarray:
    """Read a label map that lies on a given grid.

    Axes that are stored in another order or direction (a DICOM series beside a NIfTI label) are turned, which is
    exact; nothing is resampled.

    Args:
        file: NIfTI file of integer values.
        shape: (X, Y, Z) of the grid.
        affine: (4, 4), voxels of the grid to millimetres in RAS.
        case: for messages.
        values: those of the label table; 0 is always allowed.

    Returns:
        (X, Y, Z) of a signed or unsigned integer type.

    Raises:
        T3DError: unreadable, another grid, values between whole numbers or outside the label table.
    """
    who = f"case {case}: label {Path(file).name}"
    try:
        image = open_image(file)
        with in_words(Path(file).name):
            stored = np.asarray(image.dataobj)
    except T3DError as error:
        raise T3DError(error.said_of(who)) from error
    fault = volume_shape_fault(stored.shape)
    if fault:
        raise T3DError(f"{who} {fault}.")
    stored = stored.reshape(stored.shape[:3])
    placed = place_on(shape, affine, stored.shape, image.affine)
    if not placed.same:
        _refuse(placed, image.affine, tuple(shape), np.asarray(affine, dtype=float), who)
    return _whole_numbers(apply_orientation(stored, placed.turn), values, who)


def _refuse(placed: Placement, affine: np.ndarray, wanted_shape: tuple, wanted: np.ndarray, who: str) -> NoReturn:
    found = (
        f"shapes {_times(placed.shape)} and {_times(wanted_shape)}"
        if placed.shape != tuple(int(side) for side in wanted_shape)
        else f"affines {_rows(affine)} and {_rows(wanted)}, up to {placed.off_mm:.2f} mm apart"
    )
    raise T3DError(
        f"{who} and the prediction lie on different grids: {found}; the label must have the grid of its image: "
        "resample it (nearest neighbour) or export it again."
    )


def _whole_numbers(label: np.ndarray, values: Collection[int], who: str) -> np.ndarray:
    if not np.issubdtype(label.dtype, np.integer):
        rounded = whole_numbers(label)
        if rounded is None:
            raise T3DError(f"{who} has values that are no whole numbers; export it as a label map, not resampled.")
        label = rounded.astype(np.int32)
    known = np.zeros(LARGEST_VALUE + 1, dtype=bool)
    known[[0, *values]] = True
    # A table look-up: sorting a whole CT for its distinct values takes many times longer.
    fits = label.min() >= 0 and label.max() <= LARGEST_VALUE
    if not fits or not known[label].all():
        outside = sorted(set(np.unique(label).tolist()) - {0, *values})
        listed = ", ".join(str(value) for value in outside[:8]) + (" .." if len(outside) > 8 else "")
        raise T3DError(f"{who} has values outside the label table ({listed}); add them to it, or correct the label.")
    return label


def _times(shape: tuple) -> str:
    return " x ".join(str(int(side)) for side in shape)


def _rows(affine: np.ndarray) -> str:
    return str(np.round(affine[:3], 3).tolist())
