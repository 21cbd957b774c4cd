"""The label table: which value of a label file means which class."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from t3d.errors import T3DError
from t3d.files import read_json

logger = logging.getLogger(__name__)

BACKGROUND = "background"
_IGNORE = "ignore"  # nnU-Net's name for voxels that nobody annotated
LARGEST_VALUE = 65535  # segmentations are written as uint8 or uint16


def class_values(table: Mapping[str, Any], *, source: str = "the label table") -> dict[str, list[int]]:
    """Check a label table and return its values as lists, the background first.

    Args:
        table: class name -> value or values in the label files, e.g.
            ``{"background": 0, "liver": 6, "kidneys": [2, 3]}``. Several values are one class. ``background`` may
            list more values that are not learnt; without it, 0 is the background.
        source: the table's file, for messages.

    Returns:
        {"background": [..], name: [..], ..}: the network's channels in this order. A prediction is written with
        the first value of its class.

    Raises:
        T3DError: no class beside the background, a value that is no whole number of 0 to 65535, or one that stands
            for two classes.
    """
    if not isinstance(table, Mapping):
        raise T3DError(f'{source} is a {type(table).__name__}; make it an object {{"background": 0, "liver": 1, ..}}')
    ordered = {BACKGROUND: table.get(BACKGROUND, 0), **{k: v for k, v in table.items() if k != BACKGROUND}}
    values = {name: value if isinstance(value, list) else [value] for name, value in ordered.items()}
    if len(values) == 1:
        raise T3DError(f'{source} has no class beside {BACKGROUND}; add one, such as "liver": 1')
    owner: dict[int, str] = {}
    for name, numbers in values.items():
        if not name.strip() or any(mark in name for mark in "/\\\n,"):
            raise T3DError(f"{source}: {name!r} is no class name; use a name without / \\ and commas")
        if not numbers:
            raise T3DError(f"{source}: class {name} has no value; give it one or remove it")
        for number in numbers:
            if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= LARGEST_VALUE:
                raise T3DError(f"{source}: class {name} has the value {number!r}; use whole numbers, 0 to 65535")
            if number in owner:
                raise T3DError(
                    f"{source}: value {number} stands for {owner[number]} and for {name}; a value has one class, so "
                    "regions that overlap must be parted"
                )
            owner[number] = name
    return values


def read_label_table(labels_file: str | Path) -> dict[str, list[int]]:
    """Read a label table from a JSON file and check it.

    The file is the table itself, or a ``dataset.json`` with the table as its ``"labels"``: of nnU-Net (name -> value
    or values) or of the Medical Segmentation Decathlon and nnU-Net 1 ("value" -> name). nnU-Net's class ``ignore`` is
    not read: a label file with its value is refused where labels are checked, as nothing here can leave voxels out.

    Returns:
        As ``class_values``.

    Raises:
        T3DError: no such file, no JSON, or no label table.
    """
    return class_values(load_label_table(labels_file), source=Path(labels_file).name)


def load_label_table(labels_file: str | Path) -> dict[str, Any]:
    """``read_label_table`` with the values as they stand in the file, a number or a list of them: for a record."""
    file = Path(labels_file)
    form = 'make it an object {"background": 0, "liver": 1, ..}'
    # once, because the same name twice would silently keep the last
    table = read_json(file, what="label table", remedy=form, absent="set labels_file to a label table", once=True)
    if isinstance(table.get("labels"), Mapping):
        table = _of_dataset(table["labels"], file)
    class_values(table, source=file.name)
    return dict(table)


def _of_dataset(labels: Mapping[str, Any], file: Path) -> dict[str, Any]:
    table = dict(labels)
    if table and all(value.isdigit() for value in table) and all(isinstance(name, str) for name in table.values()):
        names = list(table.values())
        table = {name: [int(value) for value, own in labels.items() if own == name] for name in names}
    ignored = table.pop(_IGNORE, None)
    if ignored is not None:
        logger.warning(
            "%s: class %s (value %s) is no class to learn, and voxels cannot be left out: cases with it are refused",
            file.name, _IGNORE, ignored,
        )  # fmt: skip
    return table
