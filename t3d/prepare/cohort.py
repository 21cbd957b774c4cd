"""Preparing a whole cohort: many cases side by side, resumable, with the failed ones named."""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from t3d.atomic import write_atomically
from t3d.data.datalist import SPLITS, read_datalist, resolve_items
from t3d.data.datalist_checks import duplicate_cases
from t3d.errors import T3DError, raise_faults
from t3d.files import json_bytes
from t3d.prepare.case import case_files
from t3d.prepare.disk import say_disk
from t3d.prepare.folder import claim_folder
from t3d.prepare.progress import Progress
from t3d.prepare.record import is_current, read_record
from t3d.prepare.workers import run_cases
from t3d.volume.store import FORMAT_VERSION

logger = logging.getLogger(__name__)

FAILED_FILE = "failed.json"


@dataclass(frozen=True)
class Outcome:
    """What a run of ``prepare_cohort`` did: case ids, and for the failed ones why."""

    prepared: list[str]
    unchanged: list[str]
    failed: dict[str, str]


def prepare_cohort(
    datalist_file: str | Path,
    out_dir: str | Path,
    *,
    spacing: tuple[float, float, float],
    lesion_values: tuple[int, ...] = (),
    seed: int = 0,
    workers: int = 1,
    scheduler: str | None = None,
    overwrite: bool = False,
    verify: bool = False,
    allow_no_hu: bool = False,
) -> Outcome:
    """Prepare every case of a datalist and write ``out_dir/datalist.json``, which all bundles take.

    Cases whose sources and settings are unchanged are left as they are, so a run that was killed is completed by
    running again, to the same bytes. A failed case is named in ``failed.json`` and not in the datalist.

    Args:
        datalist_file: the raw cohort.
        out_dir: new, empty, or of this very cohort.
        spacing: millimetres along R, A and S.
        lesion_values: label values whose connected lesions are indexed, for crops centred on them.
        seed: of the positions in the index.
        workers: processes on this machine.
        scheduler: address of a Dask cluster to use instead.
        overwrite: let a folder made with other settings be made anew, case by case.
        verify: also compare the stored files with their sha256.
        allow_no_hu: take cases whose values are surely no HU.

    Raises:
        T3DError: the datalist is faulty; or ``out_dir`` holds something else.
    """
    file, target = Path(datalist_file).expanduser().absolute(), Path(out_dir).expanduser().absolute()
    if target == file.parent:
        raise T3DError(
            f"out_dir {target} is the datalist's own folder; its datalist.json would be replaced: name another."
        )
    content = read_datalist(file)
    faults: list[str] = []
    splits = {name: resolve_items(content.get(name, []), name, file.parent, faults) for name in SPLITS}
    raise_faults(faults + duplicate_cases(splits), file.name)
    items = {item["case_id"]: item for split in SPLITS for item in splits[split]}
    if not items:
        raise T3DError(f'{file.name} has no cases in the lists "training", "validation" and "test"; add some.')
    settings: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "spacing": [float(side) for side in spacing],
        "lesion_values": sorted(int(value) for value in lesion_values),
        "seed": int(seed),
    }
    claim_folder(target, file, items, settings, overwrite=overwrite)
    kept: dict[str, dict[str, Any]] = {}
    pending: dict[str, dict[str, Any]] = {}
    for case, item in items.items():
        record = read_record(target / case_files(case, label=False)["record"])
        if record is not None and is_current(record, item, settings, target, verify=verify):
            kept[case] = record
        else:
            pending[case] = item
    logger.info("%d cases: %d already prepared, %d to prepare", len(items), len(kept), len(pending))
    say_disk(list(pending.values()), settings["spacing"], target)
    failed, records = {}, dict(kept)
    progress = Progress(len(pending))
    options = {"folder": str(file.parent), "out_dir": str(target), "settings": settings, "allow_no_hu": allow_no_hu}
    for case, record, fault in run_cases(pending.values(), options, workers=workers, scheduler=scheduler):
        if record is not None:
            records[case] = record
            _say_record(record)
        elif fault is not None:
            failed[case] = fault
            logger.warning("%s", fault if case in fault else f"case {case}: {fault}")
        progress.step(failed=len(failed))
    _write_lists(target, content, splits, records, failed, settings)
    _summary(target, kept, pending, failed)
    return Outcome([case for case in pending if case not in failed], list(kept), failed)


def _say_record(record: Mapping[str, Any]) -> None:
    if record["hu_doubt"]:
        logger.warning(
            "case %s: values do not look like HU (%s); look at the case", record["case_id"], record["hu_doubt"]
        )
    if record["saturated_voxels"]:
        logger.warning(
            "case %s: %d voxels lie outside int16 (%g to %g HU) and were set to its ends",
            record["case_id"], record["saturated_voxels"], *record["hu_range"],
        )  # fmt: skip


def _write_lists(
    target: Path, content: Mapping, splits: Mapping, records: Mapping, failed: Mapping, settings: Mapping
) -> None:
    lists = {}
    for name in SPLITS:
        raw = content.get(name, [])
        lists[name] = [
            {**old, **{what: files[what] for what in ("image", "label") if what in files}}
            for old, item in zip(raw, splits[name], strict=True)
            if item["case_id"] in records
            for files in [case_files(item["case_id"], label=bool(item.get("label")))]
        ]
    prepared = {"spacing": settings["spacing"], "orientation": "RAS", "format_version": FORMAT_VERSION}
    datalist = {**{key: value for key, value in content.items() if key not in SPLITS}, **lists, "prepared": prepared}
    writers = {
        target / FAILED_FILE: json_bytes(dict(sorted(failed.items())), indent=1),
        target / "datalist.json": json_bytes(datalist, indent=1),
    }
    write_atomically(writers)


def _summary(target: Path, kept: Mapping, pending: Mapping, failed: Mapping) -> None:
    done = len(pending) - len(failed)
    logger.info("%d cases prepared, %d unchanged, %d failed; datalist in %s", done, len(kept), len(failed),
                target / "datalist.json")  # fmt: skip
    if failed:
        shown = ", ".join(list(failed)[:10]) + (" .." if len(failed) > 10 else "")
        logger.warning("failed and not in the datalist: %s; see %s", shown, os.fspath(target / FAILED_FILE))
