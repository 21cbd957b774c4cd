"""The label table: which value of a label file means which class."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from t3d.errors import T3DError

BACKGROUND = "background"
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
                    f"{source}: value {number} stands for {owner[number]} and for {name}; a value has one class"
                )
            owner[number] = name
    return values


def read_label_table(labels_file: str | Path) -> dict[str, list[int]]:
    """Read a label table from a JSON file and check it.

    Returns:
        As ``class_values``.

    Raises:
        T3DError: no such file, no JSON, or no label table.
    """
    file = Path(labels_file)
    if not file.is_file():
        raise T3DError(f"{file} does not exist; set labels_file to a label table")
    try:
        # pairs, because the same name twice would silently keep the last
        pairs = json.loads(file.read_text(encoding="utf-8"), object_pairs_hook=list)
    except ValueError as error:
        raise T3DError(f"{file.name} is not valid JSON ({error}); correct it there") from error
    if not isinstance(pairs, list) or not all(isinstance(pair, tuple) for pair in pairs):
        raise T3DError(f'{file.name} is no label table; make it an object {{"background": 0, "liver": 1, ..}}')
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise T3DError(f"{file.name}: {', '.join(twice)} is named twice; name a class once, with a list of values")
    return class_values(dict(pairs), source=file.name)
