"""From a plan to its cells: what is run, what it needs, and the hash of everything that decides its result."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import t3d
from t3d.study.asked import asked_of
from t3d.study.cohort_settings import cohort_settings
from t3d.study.given_encoder import given_abilities, given_settings
from t3d.study.plan import GIVEN, ORACLE, SCRATCH, SHUFFLED, UNTRAINED, Plan
from t3d.study.plan_entries import Recipe
from t3d.study.recipe_settings import abilities, run_settings

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
        T3DError: a bundle has no overlay of a name, or a datalist or given weights are not there.
    """
    cells: dict[str, Cell] = {}
    places: list[Place] = []

    def add(kind: str, settings: dict[str, Any], needs: dict[str, str], name: str, group: str = "") -> str:
        cell = _cell(kind, settings, needs, name, group)
        cells.setdefault(cell.key, cell)
        return cell.key

    given = {name: given_settings(Path(arm.encoder)) for name, arm in plan.arms.items() if arm.encoder}
    trainings = [(seed, arm) for seed in plan.seeds for arm in plan.arms if seed in plan.arms[arm].seeds]
    folds = cohort_settings(plan.cohort)
    for number, fold in enumerate(folds):
        which = f", fold {number}" if len(folds) > 1 else ""
        cohort = add(COHORT, fold, {}, f"cohort{which}")
        for seed, arm in trainings:
            whose = f"{arm}, seed {seed}{which}"
            able = given_abilities(given[arm]) if arm in given else abilities(plan, arm, bundles)
            asked = list(asked_of(plan, arm, seed, bundles, able))
            if not asked:
                continue  # an extending plan may ask nothing of an arm: it is not trained for that
            needs = {"cohort": cohort}
            if plan.arms[arm].kind == GIVEN:
                needs["encoder"] = add("given", given[arm], {}, f"encoder of {arm}", whose)
            elif plan.arms[arm].kind != SCRATCH:
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


def _encoder_settings(plan: Plan, arm: str, seed: int, bundles: Path) -> tuple[str, dict[str, Any]]:
    kind, own = plan.arms[arm].kind, plan.arms[arm].recipe
    if kind == ORACLE:
        return "oracle", run_settings("classification", plan.stages["classification"].and_then(own), seed, bundles)
    forced: dict[str, Any] = {}
    if kind == UNTRAINED:
        forced = _NO_STEP
    elif kind == SHUFFLED:
        forced = {"shuffle_reports": True}
    recipe = plan.stages["pretrain"].and_then(own).and_then(Recipe((), forced))
    return "pretraining", {**run_settings("pretrain", recipe, seed, bundles), "arm_kind": kind}


def _cell(kind: str, settings: dict, needs: Mapping[str, str], name: str, group: str) -> Cell:
    decides = {"kind": kind, "settings": settings, "needs": needs, "version": t3d.__version__, "revision": REVISION}
    content = json.dumps(decides, sort_keys=True).encode()
    key = f"{kind}_{hashlib.sha256(content).hexdigest()[:16]}"
    return Cell(name, kind, settings, dict(needs), key, group)
