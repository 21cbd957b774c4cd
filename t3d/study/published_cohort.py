"""Published cohorts on the user's disk as the datalists of a study: lists, folds, findings and classes of a plan."""

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from t3d.atomic import write_atomically
from t3d.cohorts.collect import adapter_options, collect_cohort, find_adapter
from t3d.cohorts.collected import NOT_FOUND, Collected
from t3d.cohorts.hold_out import hold_out
from t3d.cohorts.write import not_found_csv, say_cohort
from t3d.data.datalist_checks import duplicate_cases, shared_patients
from t3d.errors import SHOWN_FAULTS, T3DError, raise_faults
from t3d.files import json_bytes
from t3d.study.folds import folds
from t3d.study.plan_cohort import SPLITS

logger = logging.getLogger(__name__)

Lists = dict[str, list[dict]]


class PublishedCohort(NamedTuple):
    """What a study needs of published cohorts.

    Attributes:
        datalists: one, or one for each fold.
        classes: label table, where the cohort has one.
        notes: what a reader of the results must know, such as a list that is not whole.
    """

    datalists: list[Path]
    classes: dict[str, int] | None
    notes: list[str]


def read_published(cohort: Mapping[str, Any], roots: Mapping[str, Path], folder: Path) -> PublishedCohort:
    """Read the cohorts of a plan where they lie and write their datalists.

    A datalist is named after its content: one that a study was begun with is never changed under it.

    Args:
        cohort: of the plan, ``{"published": {name: settings}, "validation_share", "seed"}``.
        roots: name -> folder, before that of the plan.
        folder: for the datalists, the tables of what was not found, and volumes that must be converted.

    Raises:
        T3DError: a cohort does not lie where it should, lacks what the plan fixes, or has other classes.
    """
    lists: Lists = {split: [] for split in SPLITS}
    classes: dict[str, int] | None = None
    notes: list[str] = []
    parts: list[list[str]] = []
    for name, settings in cohort["published"].items():
        collected = _collect(name, settings, roots.get(name), folder)
        _without(collected, settings["leave_out"])
        own = _lists(collected, settings, name)
        if settings["folds"] is not None:
            parts = folds([item["case_id"] for item in own["training"]], **settings["folds"])
            if not all(parts):
                raise T3DError(f"{name} has {len(own['training'])} cases, too few for {len(parts)} folds")
        if settings["findings"] is not None:
            own = {split: _with_findings(items, settings["findings"], name) for split, items in own.items()}
        notes += _not_whole(own, settings["cases"], name)
        classes = _classes(collected, settings["classes"], name) or classes
        collected.lists = own
        missing = folder / f"{name}{NOT_FOUND}"
        write_atomically({missing: not_found_csv(collected)})
        say_cohort(collected, [missing])
        lists = {split: lists[split] + own[split] for split in SPLITS}
    raise_faults(duplicate_cases(lists) + shared_patients(lists), "the cohorts of the plan")
    for note in notes:
        logger.warning("%s", note)
    tests: list[list[str] | None] = list(parts) or [None]
    files = [_write(_fold(lists, test, cohort), folder) for test in tests]
    return PublishedCohort(files, classes, notes)


def _collect(name: str, settings: Mapping[str, Any], given: Path | None, folder: Path) -> Collected:
    _, adapter = find_adapter(name)
    root = given or settings["root"]
    if root is None:
        raise T3DError(
            f"the plan is of {name}, and nothing says where that lies; give --cohort_dir, the folder with "
            f"{adapter.LAYOUT}"
        )
    options = dict(settings["options"])
    if "convert_dir" in adapter_options(adapter):
        options.setdefault("convert_dir", str(folder / f"{name}_nifti"))
    try:
        return collect_cohort(name, root, options)
    except T3DError as error:
        # adapters speak to whoever calls `t3d cohort`
        raise T3DError(str(error).replace("--root", "--cohort_dir")) from error


def _without(collected: Collected, leave_out: Mapping[str, str]) -> None:
    for split, items in collected.lists.items():
        for item in items:
            if item["case_id"] in leave_out:
                collected.leave_out(item["case_id"], f"{leave_out[item['case_id']]} (the plan)")
        collected.lists[split] = [item for item in items if item["case_id"] not in leave_out]


def _lists(collected: Collected, settings: Mapping[str, Any], name: str) -> Lists:
    """The lists of the study, from those of the adapter."""
    lists: Lists = {split: [] for split in SPLITS}
    for split, sources in settings["lists"].items():
        lists[split] = [item for source in sources for item in collected.lists[source]]
    wanted = list(settings["test_cases"])
    if wanted:
        there = {item["case_id"]: item for item in lists["training"]}
        absent = [case for case in wanted if case not in there]
        if absent:
            raise T3DError(
                f"{name}: {len(absent)} of the {len(wanted)} test cases that the plan fixes are not among its "
                f"training cases, such as {absent[0]}; unpack the release again, or correct --cohort_dir"
            )
        lists["test"] = [there[case] for case in wanted]
        lists["training"] = [item for item in lists["training"] if item["case_id"] not in set(wanted)]
    return lists


def _with_findings(items: list[dict], columns: Mapping[str, list[str]], name: str) -> list[dict]:
    """Findings of a plan: there if one of its columns says so, absent if all do, and else unknown."""
    known = {column for item in items for column in item.get("findings") or {}}
    lacking = [column for wanted in columns.values() for column in wanted if column not in known]
    if known and lacking:
        shown = ", ".join(lacking[:SHOWN_FAULTS])
        raise T3DError(f"{name}: the label table has no {shown}; the plan counts them. Download the table again")

    def state(found: Mapping[str, Any], wanted: list[str]) -> int | None:
        states = [found.get(column) for column in wanted]
        return 1 if 1 in states else 0 if all(one == 0 for one in states) else None

    return [
        {**item, "findings": {finding: state(item["findings"], wanted) for finding, wanted in columns.items()}}
        if item.get("findings")
        else item
        for item in items
    ]


def _not_whole(lists: Lists, cases: Mapping[str, int], name: str) -> list[str]:
    return [
        f"{name}: {len(lists[split])} of {count} {split} cases are there ({name}{NOT_FOUND} says what was left out); "
        "numbers of a part are not those of the benchmark"
        for split, count in cases.items()
        if len(lists[split]) != count
    ]


def _classes(collected: Collected, wanted: Mapping[str, int] | None, name: str) -> dict[str, int] | None:
    found = collected.labels
    if wanted is None:
        return found
    if found is not None and found != dict(wanted):
        raise T3DError(f"{name} has the classes {found}, and the plan {dict(wanted)}; is it another task or release?")
    return dict(wanted)


def _fold(lists: Lists, test: list[str] | None, cohort: Mapping[str, Any]) -> Lists:
    """The lists of one fold, with patients held out for validation where the cohort has no such list."""
    found = dict(lists)
    if test is not None:
        chosen = set(test)
        found["test"] = [item for item in lists["training"] if item["case_id"] in chosen]
        found["training"] = [item for item in lists["training"] if item["case_id"] not in chosen]
        raise_faults(shared_patients(found), "a fold")
    if found["training"] and not found["validation"]:
        found["training"], found["validation"] = hold_out(
            found["training"], share=cohort["validation_share"], seed=cohort["seed"], name="validation"
        )
    return found


def _write(lists: Lists, folder: Path) -> Path:
    content = json_bytes(lists, indent=1)
    file = folder / f"datalist_{hashlib.sha256(content).hexdigest()[:12]}.json"
    write_atomically({file: content})
    return file
