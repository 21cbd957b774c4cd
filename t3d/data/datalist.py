"""Reading `datalist.json` and finding every fault in it before any training starts."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from t3d.data.datalist_checks import duplicate_cases, file_faults, report_faults, shared_patients
from t3d.data.shuffled_reports import shuffle_reports
from t3d.errors import T3DError, raise_faults
from t3d.files import read_json
from t3d.volume.image_file import read_header
from t3d.volume.store import is_stored, open_stored

SPLITS = ("training", "validation", "test")


def load_datalist(
    datalist_file: str | Path, split: str, *, need_report: bool = True, shuffle_seed: int | None = None
) -> list[dict]:
    """The items of one split, after checks over all the splits of the file.

    Args:
        datalist_file: JSON file `{"training": [...], "validation": [...], "test": [...]}` of items
            `{case_id, patient_id, image, report, label, findings}`; paths are relative to the file's folder,
            `case_id` and `image` are required, and without `patient_id` each case is its own patient.
        split: the list to return.
        need_report: also require a non-empty report in every item (set it to whether text is used).
        shuffle_seed: not None gives every volume another patient's report, see `shuffle_reports`.

    Returns:
        New dicts with absolute `image` and `label` paths, `case_id` and `patient_id` as strings, and every
        other entry of the item as it is.

    Raises:
        T3DError: the file or the split is missing or not readable; or, in one message with the first
            ten and their number: items without `case_id` or `image`, duplicate cases, a patient in two
            splits, images that are missing or empty, missing reports.
    """
    file = Path(datalist_file).expanduser().absolute()
    content = read_datalist(file)
    if not content.get(split):
        filled = ", ".join(name for name, items in content.items() if items and isinstance(items, list))
        raise T3DError(
            f'{file.name}: the list "{split}" is missing or empty (filled lists: {filled or "none"}); '
            "add cases to it or choose another list."
        )
    splits = {name: content[name] for name in dict.fromkeys((*SPLITS, split)) if content.get(name)}
    faults: list[str] = []
    resolved = {name: resolve_items(items, name, file.parent, faults) for name, items in splits.items()}
    faults += duplicate_cases(resolved) + shared_patients(resolved)
    for items in resolved.values():
        for item in items:
            faults += file_faults(item)
            if need_report:
                faults += report_faults(item)
    raise_faults(faults, file.name)
    if shuffle_seed is None:
        return resolved[split]
    return shuffle_reports(resolved[split], seed=shuffle_seed)


def check_headers(items: Iterable[Mapping[str, Any]]) -> None:
    """Refuse images that are not one 3D volume on a usable grid; reads headers only, so truncation shows when loading.

    See ``t3d.volume.image_file.read_header``: NIfTI files, folders of one DICOM series, and what else is read.

    Raises:
        T3DError: the first ten faulty cases and their number.
    """
    faults = []
    for item in items:
        path = Path(item["image"])
        if is_stored(path):
            # its grid was checked when it was prepared; a cohort of 25,000 cases starts within seconds
            faults += _stored_faults(item)
            continue
        who = f"case {item['case_id']}: image {path.name}"
        try:
            faults += [f"{who} {fault}" for fault in read_header(path).faults]
        except T3DError as error:
            faults.append(error.said_of(who).rstrip("."))
    raise_faults(faults, "image headers")


def check_header(item: Mapping[str, Any]) -> None:
    """Refuse an item whose image is not one 3D volume; may be one of the checks of ``run_cases``.

    Raises:
        T3DError: see ``check_headers``.
    """
    check_headers([item])


def _stored_faults(item: Mapping[str, Any]) -> list[str]:
    try:
        open_stored(item["image"])
    except T3DError as error:
        return [f"case {item['case_id']}: {str(error).rstrip('.')}"]
    return []


def read_datalist(file: Path) -> dict:
    """The lists of a datalist as they are in the file, unchecked.

    Raises:
        T3DError: the file is missing, no UTF-8, no JSON, or holds no lists of cases.
    """
    absent = "set dataset_dir or datalist_file to where datalist.json is"
    remedy = 'make it an object with the lists "training", "validation" and "test"'
    content = read_json(file, what="datalist", remedy=remedy, absent=absent)
    for name in SPLITS:
        if not isinstance(content.get(name, []), list):
            raise T3DError(f'{file.name}: "{name}" is not a list; make it a list of cases.')
    return content


def resolve_items(items: Sequence, split: str, folder: Path, faults: list[str]) -> list[dict]:
    """Copies of the items with absolute paths; items that cannot be used are reported and left out."""
    resolved = []
    for number, item in enumerate(items):
        where = f"{split}[{number}]"
        if not isinstance(item, dict):
            faults.append(f"{where}: is a {type(item).__name__}; make it an object with case_id and image")
            continue
        case = item.get("case_id")
        if isinstance(case, bool) or not isinstance(case, str | int) or not str(case).strip():
            faults.append(f"{where}: has no case_id; give every case a distinct case_id")
            continue
        case = str(case)
        if case in (".", "..") or any(mark in case for mark in "/\\\n"):
            faults.append(f"case {case!r}: results are files named after it; use a case_id without / and \\")
        if not isinstance(item.get("image"), str) or not item["image"]:
            faults.append(f"case {case}: has no image; give the path of its NIfTI file")
            continue
        patient = item.get("patient_id")
        if isinstance(patient, bool | list | dict):
            faults.append(f"case {case}: patient_id is a {type(patient).__name__}; make it text, or leave it out")
            patient = None
        # Not `or`: a patient number 0 is a patient. NaN is an empty cell of pandas, unequal to itself.
        nothing = patient is None or patient != patient or not str(patient).strip()
        patient = case if nothing else str(patient)
        new = {**item, "case_id": case, "patient_id": patient}
        for key in ("image", "label"):
            if isinstance(item.get(key), str) and item[key]:
                new[key] = str(folder / os.path.expanduser(item[key]))
        resolved.append(new)
    return resolved
