"""The datalist of a collected cohort, its label table, and the list of what was not found, all or none."""

import csv
import io
import logging
from pathlib import Path

from t3d.atomic import write_atomically
from t3d.cohorts.collected import NOT_FOUND, Collected
from t3d.errors import SHOWN_FAULTS
from t3d.files import json_bytes, refuse_existing

logger = logging.getLogger(__name__)


def write_cohort(collected: Collected, out: Path, *, overwrite: bool) -> list[Path]:
    """Write `out`, `labels.json` beside it where the cohort has label names, and `OUT_not_found.csv`.

    Paths are relative where they are inside the folder of the datalist, and absolute elsewhere: a list that leaves
    its folder with ".." would break when it is moved.

    Args:
        collected: of an adapter, checked.
        out: the datalist.
        overwrite: replace files that are there.

    Returns:
        The files written; the datalist comes last.

    Raises:
        T3DError: one of the files is there, or could not be written.
    """
    missing = out.with_name(f"{out.stem}{NOT_FOUND}")
    files: dict[Path, bytes] = {}
    if collected.not_found or missing.exists():
        files[missing] = not_found_csv(collected)
    if collected.labels is not None:
        files[out.with_name("labels.json")] = json_bytes(collected.labels, indent=1)
    files[out] = json_bytes(_relative(collected.lists, out.parent), indent=1)
    refuse_existing(files, overwrite=overwrite, option="--out")
    write_atomically(files)
    return list(files)


def say_cohort(collected: Collected, files: list[Path]) -> None:
    """Log the lists, what was not found (counts, the first ten), the notes and the files; case ids and no text."""
    for name, items in collected.lists.items():
        if items:
            patients = len({item["patient_id"] for item in items})
            with_report = sum("report" in item for item in items)
            logger.info("%s: %d cases of %d patients, %d with a report", name, len(items), patients, with_report)
    entries = collected.not_found
    if entries:
        out = sum(not entry.kept for entry in entries)
        logger.warning("%d things are not as they should be, %d cases are left out for it:", len(entries), out)
        for entry in entries[:SHOWN_FAULTS]:
            logger.warning("  %s: %s%s", entry.case, entry.what, " (kept)" if entry.kept else "")
        if len(entries) > SHOWN_FAULTS:
            logger.warning("  .. and %d more, all in %s", len(entries) - SHOWN_FAULTS, files[0])
    for note in collected.notes:
        logger.info("note: %s", note)
    logger.info("wrote %s", ", ".join(str(file) for file in files))


def _relative(lists: dict[str, list[dict]], folder: Path) -> dict[str, list[dict]]:
    named = {name: items for name, items in lists.items() if items or name in ("training", "validation", "test")}
    return {name: [_with_paths(item, folder) for item in items] for name, items in named.items()}


def _with_paths(item: dict, folder: Path) -> dict:
    new = dict(item)
    for key in ("image", "label"):
        if key in item and Path(item[key]).is_relative_to(folder):
            new[key] = Path(item[key]).relative_to(folder).as_posix()
    return new


def not_found_csv(collected: Collected) -> bytes:
    """The list of what is missing or left out, as a CSV file."""
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(("case", "what", "kept"))
    writer.writerows((entry.case, entry.what, "yes" if entry.kept else "no") for entry in collected.not_found)
    return lines.getvalue().encode()
