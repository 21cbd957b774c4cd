"""From the cases of a prepared list back to the files they were made from."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from t3d.errors import T3DError
from t3d.files import read_json
from t3d.prepare.case import case_files
from t3d.prepare.folder import SETTINGS_FILE
from t3d.prepare.record import is_unchanged, read_record
from t3d.volume.listed import is_prepared


def original_files(items: Sequence[Mapping[str, Any]], datalist_file: str | Path) -> list[dict[str, Any]]:
    """Items with the original ``image`` and ``label`` files in place of the stored ones.

    Segmentations and their metrics belong on the grid of the file a user has, not on that of the store. The items
    of a list that ``t3d prepare`` did not write come back as they are.

    Args:
        items: of ``datalist_file``, with ``case_id``, ``image`` and possibly ``label``.
        datalist_file: raw or prepared.

    Raises:
        T3DError: a case's record or original is missing, or the original changed since.
    """
    if not is_prepared(datalist_file):
        return [dict(item) for item in items]
    store = Path(datalist_file).expanduser().absolute().parent
    remedy = "put it back, or use the raw datalist as --datalist_file"
    what = "record of where the original files lie"
    raw = Path(read_json(store / SETTINGS_FILE, what=what, remedy=remedy, need={"datalist": str})["datalist"])
    originals = []
    for item in items:
        case = item["case_id"]
        record = read_record(store / case_files(case, label=False)["record"])
        if record is None:
            raise T3DError(f"case {case}: its record is missing in {store}, so its original is not known; {remedy}")
        found = dict(item)
        for key in ("image", "label"):
            if item.get(key):
                found[key] = str(_original(case, key, raw.parent, record["sources"][key], remedy))
        originals.append(found)
    return originals


def _original(case: str, key: str, folder: Path, known: Mapping[str, Any], remedy: str) -> Path:
    path = Path(os.path.normpath(folder / known["path"]))
    if not path.exists():
        raise T3DError(f"case {case}: its original {key} {path} is not there; {remedy}")
    if not is_unchanged(path, known):
        raise T3DError(
            f"case {case}: its original {key} {path} changed since it was prepared; run `t3d prepare` again, or use "
            "the raw datalist as --datalist_file"
        )
    return path
