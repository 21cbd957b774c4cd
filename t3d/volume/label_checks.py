"""Faults of label files, all found before the first training step."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from t3d.errors import T3DError, raise_faults
from t3d.volume.image_file import open_image, read_header
from t3d.volume.in_words import in_words
from t3d.volume.index import read_index
from t3d.volume.label_table import BACKGROUND, class_values
from t3d.volume.same_voxels import grid_fault
from t3d.volume.store import is_stored
from t3d.volume.volume_shape import volume_shape_fault
from t3d.volume.whole_numbers import whole_numbers

logger = logging.getLogger(__name__)


def check_labels(
    training: Sequence[Mapping[str, Any]],
    validation: Sequence[Mapping[str, Any]],
    *,
    table: Mapping[str, Any],
    allow_absent_classes: bool = False,
) -> dict[str, int]:
    """Read every label file once and refuse what training would silently learn wrongly.

    Args:
        training, validation: items with ``image`` and ``label`` (paths) and, where known, ``case_id``.
        table: see ``t3d.volume.label_table.class_values``.
        allow_absent_classes: log a class that no training case shows, instead of raising.

    Returns:
        Class name -> number of training cases that show it.

    Raises:
        T3DError: no training case; cases without a label, with a label on another grid than the image's, with values
            outside the table or between whole numbers, with unreadable or 4D files (the first ten of them); every
            training label empty; a class that no training case shows.
    """
    values = class_values(table)
    owner: dict[float, str] = {value: name for name, numbers in values.items() for value in numbers}
    if not training:
        raise T3DError("the training list is empty: add cases to it, or set dataset_dir to the folder of the datalist")
    faults: list[str] = []
    shown = dict.fromkeys((name for name in values if name != BACKGROUND), 0)
    for number, item in enumerate([*training, *validation]):
        found, fault = _label_values(item)
        outside = [value for value in found if value not in owner]
        if fault is None and outside:
            listed = ", ".join(f"{value:g}" for value in outside[:8]) + (" .." if len(outside) > 8 else "")
            fault = (
                f"label {Path(item['label']).name} has the value{'s' if len(outside) > 1 else ''} {listed}, in no "
                f"entry of the label table ({', '.join(values)}); add to a class or to {BACKGROUND}, or correct it"
            )
        if fault is not None:
            faults.append(f"case {_name(item)}: {fault}")
        elif number < len(training):
            for name in {owner[value] for value in found} - {BACKGROUND}:
                shown[name] += 1
    raise_faults(faults, "labels")
    _classes_shown(shown, len(training), allow_absent_classes)
    logger.info("checked %d label files; training cases per class: %s", len(training) + len(validation), shown)
    return shown


def _classes_shown(shown: Mapping[str, int], cases: int, allow_absent: bool) -> None:
    if not any(shown.values()):
        raise T3DError(
            f"labels: all {cases} training labels are empty (background only); check the label files and the values "
            "of the label table"
        )
    absent = [name for name, count in shown.items() if not count]
    if not absent:
        return
    message = f"labels: no training case shows {', '.join(absent)}; the network cannot learn what it never sees"
    if not allow_absent:
        raise T3DError(
            f"{message}. Add such cases, take the class out of the label table, or pass --allow_absent_classes True"
        )
    logger.warning("%s (allowed as asked)", message)


def _label_values(item: Mapping[str, Any]) -> tuple[list[float], str | None]:
    """The values in a case's label file, and what is wrong with it."""
    if not isinstance(item.get("label"), str):
        return [], "has no label; give the path of its label file or move the case to another list"
    path = Path(item["label"])
    about = f"label {path.name}"
    try:
        label = open_image(path)
        fault = volume_shape_fault(label.shape)
        if fault:
            return [], f"label {path.name} {fault}"
        image = item.get("image")
        if isinstance(image, str):
            about = f"image {Path(image).name}"
            header = read_header(image)
            about = f"label {path.name}"
            if header.faults:
                return [], f"image {Path(image).name} {header.faults[0]}"
            fault = grid_fault(header.shape, header.affine, label.shape, label.affine)
            if fault:
                return [], fault
        # the index of a prepared case knows its values, so that 25,000 labels need not be read
        if isinstance(image, str) and is_stored(path) and is_stored(image):
            return sorted(float(value) for value in read_index(image).counts), None
        with in_words(path.name):
            found = whole_numbers(np.unique(np.asanyarray(label.dataobj)))
    except T3DError as error:
        return [], error.said_of(about).rstrip(".")
    if found is None:
        return [], f"label {path.name} has values that are no whole numbers; export it as a label map, not resampled"
    return np.unique(found).tolist(), None


def _name(item: Mapping[str, Any]) -> str:
    return str(item.get("case_id") or Path(str(item.get("image", "?"))).name)
