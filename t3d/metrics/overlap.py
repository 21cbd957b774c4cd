"""Overlap of a predicted and a reference label map, class by class."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.ndimage import find_objects

from t3d.metrics.surface import hd95, surface_dice, surface_distances

TOLERANCE_MM = 2.0
MEASURES = ("dice", "surface_dice", "hd95")


def class_overlap(
    prediction: np.ndarray, label: np.ndarray, spacing: Sequence[float], *, tolerance: float = TOLERANCE_MM
) -> dict[str, float]:
    """Dice, normalised surface Dice and HD95 of one class in one case.

    | label   | prediction | dice | surface_dice | hd95 |
    |---------|------------|------|--------------|------|
    | absent  | absent     | NaN  | NaN          | NaN  |
    | absent  | present    | 0    | 0            | NaN  |
    | present | absent     | 0    | 0            | NaN  |

    The second line is nnU-Net's convention (Dice NaN only where both are empty); MONAI's ``DiceMetric`` leaves such
    cases out by default, which hides invented organs.

    Args:
        prediction: (X, Y, Z) bool.
        label: (X, Y, Z) bool.
        spacing: mm per voxel along each axis.
        tolerance: of the surface Dice in mm (2 mm by default, ours).

    Returns:
        ``dice`` and ``surface_dice`` in [0, 1], ``hd95`` in mm, NaN where undefined.
    """
    predicted, present = int(prediction.sum()), int(label.sum())
    if predicted == 0 and present == 0:
        return dict.fromkeys(MEASURES, float("nan"))
    if predicted == 0 or present == 0:
        return {"dice": 0.0, "surface_dice": 0.0, "hd95": float("nan")}
    distances = surface_distances(prediction, label, spacing)
    return {
        "dice": 2 * int((prediction & label).sum()) / (predicted + present),
        "surface_dice": surface_dice(distances, tolerance),
        "hd95": hd95(distances),
    }


def case_overlap(
    prediction: np.ndarray,
    label: np.ndarray,
    classes: Mapping[str, Sequence[int]],
    spacing: Sequence[float],
    *,
    tolerance: float = TOLERANCE_MM,
) -> dict[str, dict[str, float]]:
    """The overlap of every class of one case, with the volumes.

    Each class is measured inside the smallest box that holds it in both maps, so the time goes with its size and
    not with the volume's.

    Args:
        prediction: (X, Y, Z) integer values of the classes.
        label: (X, Y, Z) integer values of the classes.
        classes: name -> its values in both maps; several values are one merged class.
        spacing: mm per voxel along each axis.
        tolerance: of the surface Dice in mm.

    Returns:
        name -> ``dice``, ``surface_dice``, ``hd95`` as in ``class_overlap``, ``label_ml`` and ``predicted_ml``.
    """
    maps = [numbered(volume, classes) for volume in (prediction, label)]
    boxes = [find_objects(numbers, max_label=len(classes)) for numbers in maps]
    millilitres = float(np.prod(np.asarray(spacing, dtype=float))) / 1000
    result = {}
    for number, name in enumerate(classes, start=1):
        box = _union(boxes[0][number - 1], boxes[1][number - 1])
        predicted, present = (numbers[box] == number for numbers in maps)
        result[name] = {
            **class_overlap(predicted, present, spacing, tolerance=tolerance),
            "label_ml": int(present.sum()) * millilitres,
            "predicted_ml": int(predicted.sum()) * millilitres,
        }
    return result


def numbered(volume: np.ndarray, classes: Mapping[str, Sequence[int]]) -> np.ndarray:
    """(X, Y, Z) with 1 for the values of the first class, 2 for the second, .. and 0 elsewhere.

    Args:
        volume: (X, Y, Z) of non-negative integers.
        classes: name -> its values; a value belongs to one class.
    """
    highest = max(int(volume.max(initial=0)), *(value for values in classes.values() for value in values))
    table = np.zeros(highest + 1, dtype=np.uint8 if len(classes) < 256 else np.uint16)
    for number, values in enumerate(classes.values(), start=1):
        table[list(values)] = number
    return table[volume]


def _union(first: tuple[slice, ...] | None, second: tuple[slice, ...] | None) -> tuple[slice, ...]:
    found = [box for box in (first, second) if box is not None]
    if not found:
        return (slice(0, 0),) * 3
    return tuple(slice(min(s.start for s in axis), max(s.stop for s in axis)) for axis in zip(*found, strict=True))
