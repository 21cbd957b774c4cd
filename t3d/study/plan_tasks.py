"""What a study asks of every encoder: the tasks of a plan and their settings."""

from collections.abc import Collection, Mapping
from typing import Any

from t3d.study.plan_entries import read_recipe, unknown_names, whole_numbers

ALL = "all"

# What a task asks for, with its defaults; `labels` is the budget of every task that learns from labels, `arms` says
# who is asked (None: all that can be)
_RUN: dict[str, Any] = {"overlays": [], "options": {}, "arms": None}
TASKS: dict[str, dict[str, Any]] = {
    "probe": {"labels": [ALL], "pool": None, "draws": 10, "strides": [8, 16, 32], "l2": 100.0, "arms": None},
    "findings": {"labels": [ALL], **_RUN},
    "organs": {"labels": [ALL], **_RUN, "test_cases": None, "tolerance_mm": None},
    "lesions": {"labels": [ALL], **_RUN, "test_cases": None, "tolerance_mm": None},
    "zero_shot": {**_RUN, "prompts": None},
    "retrieval": {**_RUN, "recall_at": [5]},
    "restoration": {"crops": 4, "corruption": 0.7, "regions": None, "test_cases": None, "arms": None},
}
STAGE_OF = {"findings": "classification", "organs": "segmentation", "lesions": "segmentation"}


def read_tasks(given: Any, arms: Collection[str], faults: list[str]) -> dict[str, dict[str, Any]]:
    """Task -> all its settings.

    Args:
        given: of the plan.
        arms: names of the plan's arms.
        faults: what is wrong is added here.
    """
    if not isinstance(given, Mapping) or not given:
        faults.append(f"tasks must be an object with some of {', '.join(TASKS)}")
        return {}
    unknown_names(given, tuple(TASKS), "tasks", faults)
    tasks = {}
    for name, one in given.items():
        if name not in TASKS or not isinstance(one, Mapping):
            if name in TASKS:
                faults.append(f"task {name} is {one!r}; give an object, {{}} for its defaults")
            continue
        if "overlays" not in TASKS[name]:
            unknown_names(one, tuple(TASKS[name]), f"task {name}", faults)
        tasks[name] = {**TASKS[name], **one}
        asked = tasks[name]["arms"]
        if asked is not None and not (isinstance(asked, list) and all(arm in arms for arm in asked)):
            faults.append(f"task {name}: arms is {asked!r}; give a list of arms of the plan: {', '.join(arms)}")
        labels = tasks[name].get("labels", [ALL])
        if not isinstance(labels, list) or not whole_numbers([n for n in labels if n != ALL], least=1) or not labels:
            faults.append(
                f'task {name}: labels is {labels!r}; give numbers of cases, or "all", such as [20, 50, "all"]'
            )
        ks = tasks[name].get("recall_at", [1])
        if not whole_numbers(ks, least=1) or not ks:
            faults.append(f"task {name}: recall_at is {ks!r}; give numbers of candidates, such as [5, 10]")
        most = tasks[name].get("test_cases")
        if most is not None and not whole_numbers([most], least=1):
            faults.append(f"task {name}: test_cases is {most!r}; give a number of cases, or null for all")
        tolerance = tasks[name].get("tolerance_mm")
        if tolerance is not None and (not isinstance(tolerance, int | float) or tolerance <= 0):
            faults.append(
                f"task {name}: tolerance_mm is {tolerance!r}; give millimetres, or null for the bundle's own"
            )
        if "overlays" in TASKS[name]:
            read_recipe(one, f"task {name}", faults, known=tuple(TASKS[name]))
        else:
            faults += (_probe if name == "probe" else _restoration)(name, tasks[name])
    return tasks


def _restoration(name: str, asked: Mapping[str, Any]) -> list[str]:
    faults = []
    if not whole_numbers([asked["crops"]], least=1):
        faults.append(f"task {name}: crops is {asked['crops']!r}; give a whole number above 0")
    regions = asked["regions"]
    named = isinstance(regions, Mapping) and set(regions) == {"organs", "lesions"}
    if regions is not None and not (named and all(whole_numbers(values, least=1) for values in regions.values())):
        faults.append(
            f"task {name}: regions is {regions!r}; give the values of the label files, "
            'such as {"organs": [1, 2], "lesions": [3]}'
        )
    return faults


def _probe(name: str, asked: Mapping[str, Any]) -> list[str]:
    if not whole_numbers([asked["draws"], *asked["strides"]], least=1):
        return [f"task {name}: draws and strides must be whole numbers above 0"]
    pool = asked["pool"]
    budgets = [labels for labels in asked["labels"] if labels != ALL] if isinstance(asked["labels"], list) else []
    if pool is not None and not (whole_numbers([pool], least=1) and all(labels <= pool for labels in budgets)):
        return [f"task {name}: pool is {pool!r}; give a number of cases, not below those of labels, or null for all"]
    return []
