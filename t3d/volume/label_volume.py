"""A label file as it is stored, brought to the axes of a prediction without changing a value."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation, ornt_transform

from t3d.errors import T3DError
from t3d.volume.image_file import open_image
from t3d.volume.label_checks import GRID_TOLERANCE_MM
from t3d.volume.label_table import LARGEST_VALUE
from t3d.volume.volume_shape import volume_shape_fault


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
        stored = np.asarray(image.dataobj)
    except (OSError, EOFError, ValueError, ImageFileError) as error:
        raise T3DError(f"{who} cannot be read ({type(error).__name__}); copy or export the file again.") from error
    fault = volume_shape_fault(stored.shape)
    if fault:
        raise T3DError(f"{who} {fault}.")
    stored = stored.reshape(stored.shape[:3])
    turn = ornt_transform(io_orientation(image.affine), io_orientation(affine))
    turned = image.affine @ inv_ornt_aff(turn, stored.shape)
    label = apply_orientation(stored, turn)
    _same_grid(label.shape, turned, tuple(shape), np.asarray(affine, dtype=float), who)
    return _whole_numbers(label, values, who)


def _same_grid(shape: tuple, affine: np.ndarray, wanted_shape: tuple, wanted: np.ndarray, who: str) -> None:
    if shape != wanted_shape:
        raise T3DError(
            f"{who} and the prediction lie on different grids: shapes {_times(shape)} and {_times(wanted_shape)}; "
            "the label must have the grid of its image: resample it (nearest neighbour) or export it again."
        )
    corners = np.stack(np.meshgrid(*([0, n - 1] for n in shape), indexing="ij"), -1).reshape(-1, 3)
    corners = np.c_[corners, np.ones(len(corners))].T
    apart = float(np.linalg.norm(((affine - wanted) @ corners)[:3], axis=0).max())
    if apart > GRID_TOLERANCE_MM:
        raise T3DError(
            f"{who} and the prediction lie on different grids: affines {_rows(affine)} and {_rows(wanted)}, up to "
            f"{apart:.2f} mm apart; the label must have the grid of its image: resample it (nearest neighbour) or "
            "export it again."
        )


def _whole_numbers(label: np.ndarray, values: Collection[int], who: str) -> np.ndarray:
    if not np.issubdtype(label.dtype, np.integer):
        if not np.isfinite(label).all() or (label != np.rint(label)).any():
            raise T3DError(f"{who} has values that are no whole numbers; export it as a label map, not resampled.")
        label = label.astype(np.int32)
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
