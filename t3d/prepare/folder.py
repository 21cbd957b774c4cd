"""Whose a store's folder is: a folder of another cohort or with other settings is refused."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from t3d.errors import T3DError
from t3d.files import read_json, write_json
from t3d.prepare.record import read_record, same_source

SETTINGS_FILE = "prepared.json"
_OTHER = "choose another --out_dir, or delete the folder"


def claim_folder(
    target: Path, datalist: Path, items: Mapping[str, Mapping], settings: Mapping[str, Any], *, overwrite: bool
) -> None:
    """Make the folder of a store, or see that it is this cohort's with these settings.

    A folder belongs to the datalist whose path it records. Another path is accepted (a cohort that was moved) when
    every prepared case is in the list with an unchanged image.

    Raises:
        T3DError: another cohort's, other settings without ``overwrite``, foreign files, or not writable.
    """
    mark = target / SETTINGS_FILE
    if mark.exists():
        known = read_json(mark, what="settings of a prepared cohort", remedy=_OTHER)
        if known.get("settings") != dict(settings) and not overwrite:
            before = known.get("settings", {})
            changed = [
                f"{k} {before.get(k)} there, {settings[k]} now" for k in settings if before.get(k) != settings[k]
            ]
            raise T3DError(
                f"{target} was prepared with other settings ({'; '.join(changed)}); choose another --out_dir, or make "
                "its cases anew with --overwrite true"
            )
        if known.get("datalist") != str(datalist):
            _same_cohort(target, datalist, items, known.get("datalist"))
    elif target.exists():
        if not target.is_dir():
            raise T3DError(f"{target} is a file; name a folder as --out_dir")
        # a run killed before anything was there leaves a half-written mark
        foreign = sorted(path.name for path in target.iterdir() if not path.match(f".{SETTINGS_FILE}.*.tmp"))
        if foreign:
            raise T3DError(f"{target} is not empty (it holds {', '.join(foreign[:3])} ..); choose a new --out_dir")
    content = {"datalist": str(datalist), "settings": dict(settings)}
    write_json(mark, content, indent=1)
    # what a killed run left half written
    for pattern in (".*.tmp", "volumes/.*", "labels/.*", ".*.index"):
        for path in target.glob(pattern):
            path.unlink(missing_ok=True)


def _same_cohort(target: Path, datalist: Path, items: Mapping[str, Mapping], before: Any) -> None:
    for path in sorted((target / "volumes").glob("*.json")):
        record = read_record(path)
        if record is None:
            continue
        case = str(record.get("case_id"))
        if case not in items or not same_source(record, items[case]):
            raise T3DError(
                f"{target} holds the cohort of {before}, and {datalist} is another one (case {case} differs or is not "
                "in it); choose another --out_dir"
            )
