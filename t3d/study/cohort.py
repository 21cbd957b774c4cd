"""The cohort of a study: phantoms in lists of the wanted sizes, or a datalist of the user's."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from t3d.data.datalist import load_datalist, read_datalist
from t3d.errors import T3DError
from t3d.files import read_json, write_json
from t3d.phantoms import phantoms
from t3d.study.guards import check_cohort
from t3d.study.plan_cohort import SPLITS
from t3d.study.size_classes import largest_lesions

LIST = "datalist.json"
_PHANTOMS = "phantoms"


def make_cohort(settings: Mapping[str, Any], folder: Path, *, workers: int) -> Path:
    """Make or find the cohort and check it; returns its datalist.

    Args:
        settings: of the plan.
        folder: of the cell.
        workers: processes that make phantoms.
    """
    if "datalist" in settings:
        datalist = Path(settings["datalist"])
    else:
        made = settings["phantoms"]
        total = sum(made[split] for split in SPLITS)
        whole = phantoms(
            folder / _PHANTOMS,
            cases=total,
            seed=made["seed"],
            shape=made["shape"],
            montage=False,
            workers=workers,
            wordings=made.get("wordings", 1),
        )
        content = read_json(whole, what="datalist of phantoms", remedy="delete it and run again")
        items = sorted((item for items in content.values() for item in items), key=lambda item: item["case_id"])
        lists = split_exactly(items, {split: made[split] for split in SPLITS})
        datalist = folder / LIST
        write_json(datalist, {split: [_from(item, _PHANTOMS) for item in lists[split]] for split in SPLITS})
    # a benchmark may have nothing to train on: then only the test list is asked
    filled = [split for split in SPLITS if split == "test" or read_datalist(datalist).get(split)]
    check_cohort({split: load_datalist(datalist, split, need_report=False) for split in filled})
    return datalist


def datalist_of(folder: Path) -> Path:
    """The datalist of a finished cohort cell."""
    settings = read_json(folder / "cell.json", what="cell", remedy="delete its folder")["settings"]
    return Path(settings["datalist"]) if "datalist" in settings else folder / LIST


def classes_of(folder: Path) -> dict[str, int] | None:
    """Label table that goes with the datalist of a finished cohort cell, where a published cohort has one."""
    settings = read_json(folder / "cell.json", what="cell", remedy="delete its folder")["settings"]
    classes: dict[str, int] | None = settings.get("classes")
    return classes


def sizes_of(folder: Path) -> dict[str, dict[str, float]]:
    """Case -> finding -> size in mm of its largest lesion, of a finished cohort cell; nothing of a user's datalist."""
    file = folder / _PHANTOMS / "findings.json"
    if not file.is_file():
        return {}
    return largest_lesions(read_json(file, what="truth of phantoms", remedy="delete its folder")["cases"])


def split_exactly(items: Sequence[dict], sizes: Mapping[str, int]) -> dict[str, list[dict]]:
    """Lists of exactly these numbers of cases, no patient in two of them.

    Patients come in their order: into the test list while they fit, then into validation, the rest is for training.

    Raises:
        T3DError: the visits of the patients do not come out at these numbers.
    """
    patients: dict[str, list[dict]] = {}
    for item in items:
        patients.setdefault(item["patient_id"], []).append(item)
    lists: dict[str, list[dict]] = {split: [] for split in SPLITS}
    for cases in patients.values():
        fitting = (split for split in ("test", "validation") if len(lists[split]) + len(cases) <= sizes[split])
        lists[next(fitting, "training")] += cases
    found = {split: len(lists[split]) for split in SPLITS}
    if found != dict(sizes):
        raise T3DError(
            f"phantoms come as {_counts(found)} cases and not as {_counts(sizes)}, since some patients come twice; "
            "use these numbers or another seed"
        )
    return lists


def _from(item: Mapping[str, Any], folder: str) -> dict[str, Any]:
    return {**item, **{key: f"{folder}/{item[key]}" for key in ("image", "label")}}


def _counts(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{sizes[split]} {split}" for split in SPLITS)
