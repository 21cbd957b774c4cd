"""From a plan to its cells: what is run, what it needs, and the hash of everything that decides its result."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import t3d
from t3d.errors import T3DError
from t3d.files import sha256
from t3d.study.plan import ORACLE, SCRATCH, SHUFFLED, UNTRAINED, Plan
from t3d.study.plan_entries import Recipe
from t3d.study.plan_tasks import ALL, STAGE_OF
from t3d.study.recipe_settings import reads_text, recipe_settings, restoration_settings, restores

COHORT = "cohort"
# raise when the code of the cells would give other results for the same settings
REVISION = 3
# weights of step 0: one step during whose warm-up the learning rate is still 0
_NO_STEP = {"max_epochs": 1, "steps_per_epoch": 1, "warmup_steps": 1}


@dataclass(frozen=True)
class Cell:
    """One piece of work with a folder of its own.

    Attributes:
        name: for people, such as "probe 50 labels, default, seed 0".
        kind: what runs it, see ``t3d.study.run_cell``.
        settings: everything that decides its result but the results of ``needs``.
        needs: role -> the key of a cell whose folder it reads.
        key: name of its folder: the kind and a hash of settings, needs and versions.
        group: cells of one group are done by one job of an array.
    """

    name: str
    kind: str
    settings: dict[str, Any]
    needs: dict[str, str]
    key: str
    group: str = ""


class Place(NamedTuple):
    """Where the result of a cell stands in the table."""

    task: str
    labels: int | str | None
    arm: str
    seed: int
    key: str


class Graph(NamedTuple):
    """All cells of a plan by their keys, each after those that it needs, and the places of the table.

    Arms that come to the same have one cell and a place each.
    """

    cells: dict[str, Cell]
    places: list[Place]


def make_graph(plan: Plan, bundles: Path) -> Graph:
    """What a plan comes to.

    Args:
        plan: the study.
        bundles: folder with ``t3d_pretrain`` and the others.

    Raises:
        T3DError: a bundle has no overlay of a name, or a task cannot be asked of any arm.
    """
    cells: dict[str, Cell] = {}
    places: list[Place] = []

    def add(kind: str, settings: dict[str, Any], needs: dict[str, str], name: str, group: str = "") -> str:
        cell = _cell(kind, settings, needs, name, group)
        cells.setdefault(cell.key, cell)
        return cell.key

    cohort = add(COHORT, _cohort_settings(plan), {}, "cohort")
    for seed in plan.seeds:
        for arm in (name for name in plan.arms if seed in plan.arms[name].seeds):
            whose = f"{arm}, seed {seed}"
            asked = list(_asked(plan, arm, seed, bundles))
            if not asked:
                continue  # an extending plan may ask nothing of an arm: it is not trained for that
            needs = {"cohort": cohort}
            if plan.arms[arm].kind != SCRATCH:
                stage, settings = _encoder_settings(plan, arm, seed, bundles)
                needs["encoder"] = add(stage, settings, {"cohort": cohort}, f"pre-training of {whose}", whose)
            for task, labels, kind, settings in asked:
                inputs = needs
                if task == "probe":
                    seen = {name: plan.tasks[task][name] for name in ("strides", "pool")}
                    inputs = {
                        "cohort": cohort,
                        "features": add("features", seen, needs, f"features of {whose}", whose),
                    }
                budget = "" if labels is None else f" with {labels} labels"
                key = add(kind, settings, inputs, f"{task}{budget}, {whose}", whose)
                places.append(Place(task, labels, arm, seed, key))
    return Graph(cells, places)


def _asked(plan: Plan, arm: str, seed: int, bundles: Path) -> Iterator[tuple[str, int | str | None, str, dict]]:
    """Task, budget, kind of cell and its settings, for all that is asked of an arm."""
    kind = plan.arms[arm].kind
    for task, wanted in plan.tasks.items():
        if wanted["arms"] is not None and arm not in wanted["arms"]:
            continue
        if task == "probe" and kind != SCRATCH:
            for labels in wanted["labels"]:
                # one draw of all labels is the only one
                draws = 1 if labels == ALL else wanted["draws"]
                settings = {"labels": labels, "pool": wanted["pool"], "draws": draws, "l2": wanted["l2"]}
                yield task, labels, "probe", settings
        elif task in STAGE_OF:
            settings = _fine_tuning(plan, task, seed, bundles)
            for labels in wanted["labels"]:
                yield task, labels, "fine_tuning", {**settings, "labels": labels}
        elif task in ("zero_shot", "retrieval") and reads_text(plan, arm, bundles):
            recipe = Recipe((task, *wanted["overlays"]), dict(wanted["options"]))
            yield task, None, "text_task", {**_run("pretrain", recipe, None, bundles, base="inference"), "task": task}
        elif task == "restoration" and restores(plan, arm, bundles):
            yield task, None, "restoration", restoration_settings(plan)


def _fine_tuning(plan: Plan, task: str, seed: int, bundles: Path) -> dict[str, Any]:
    """What decides a fine-tuning but its labels; tasks of one stage with the same settings share it."""
    stage, wanted = STAGE_OF[task], plan.tasks[task]
    recipe = plan.stages[stage].and_then(Recipe(tuple(wanted["overlays"]), dict(wanted["options"])))
    settings = {**_run(stage, recipe, seed, bundles), "task": stage if stage == "segmentation" else task}
    settings |= {key: wanted[key] for key in ("test_cases", "tolerance_mm") if wanted.get(key)}
    if task == "lesions" and not recipe_settings(stage, recipe, bundles).get("lesion_classes"):
        raise T3DError("task lesions: no class is named as lesions; give it the option lesion_classes")
    return settings


def _encoder_settings(plan: Plan, arm: str, seed: int, bundles: Path) -> tuple[str, dict[str, Any]]:
    kind, own = plan.arms[arm].kind, plan.arms[arm].recipe
    if kind == ORACLE:
        return "oracle", _run("classification", plan.stages["classification"].and_then(own), seed, bundles)
    forced: dict[str, Any] = {}
    if kind == UNTRAINED:
        forced = _NO_STEP
    elif kind == SHUFFLED:
        forced = {"shuffle_reports": True}
    recipe = plan.stages["pretrain"].and_then(own).and_then(Recipe((), forced))
    return "pretraining", {**_run("pretrain", recipe, seed, bundles), "arm_kind": kind}


def _run(stage: str, recipe: Recipe, seed: int | None, bundles: Path, *, base: str = "train") -> dict[str, Any]:
    """What decides a bundle run: its configurations by name and content, and the options on top."""
    folder = bundles / f"t3d_{stage}" / "configs"
    names = [base, *recipe.overlays]
    for name in names:
        if not (folder / f"{name}.json").is_file():
            there = ", ".join(sorted(file.stem for file in folder.glob("*.json")))
            raise T3DError(f"the bundle t3d_{stage} has no configuration {name!r}; it has {there or 'none'}")
    options = dict(recipe.options) if seed is None else {**recipe.options, "seed": seed}
    hashes = [[name, sha256(folder / f"{name}.json")] for name in names]
    return {"stage": stage, "configs": hashes, "options": options}


def _cohort_settings(plan: Plan) -> dict[str, Any]:
    """A datalist of the user's counts by its content; its images are taken to stay what they are."""
    if "datalist" in plan.cohort:
        file = Path(plan.cohort["datalist"])
        if not file.is_file():
            raise T3DError(f"the datalist {file} of the plan does not exist; correct its path")
        return {"datalist": str(file), "sha256": sha256(file)}
    return dict(plan.cohort)


def _cell(kind: str, settings: dict, needs: Mapping[str, str], name: str, group: str) -> Cell:
    decides = {"kind": kind, "settings": settings, "needs": needs, "version": t3d.__version__, "revision": REVISION}
    content = json.dumps(decides, sort_keys=True).encode()
    key = f"{kind}_{hashlib.sha256(content).hexdigest()[:16]}"
    return Cell(name, kind, settings, dict(needs), key, group)
