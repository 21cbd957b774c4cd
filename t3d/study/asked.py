"""What a plan asks of an arm, task by task, as kinds of cells and their settings."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from t3d.errors import T3DError
from t3d.phantoms.tissues import LABELS, LESIONS, ORGANS
from t3d.study.plan import SCRATCH, Plan
from t3d.study.plan_entries import Recipe
from t3d.study.plan_tasks import ALL, STAGE_OF, TASKS
from t3d.study.recipe_settings import Abilities, recipe_settings, run_settings


class Asked(NamedTuple):
    """A task with its budget of labels, the kind of its cell, and all that decides it but its needs."""

    task: str
    labels: int | str | None
    kind: str
    settings: dict[str, Any]


def asked_of(plan: Plan, arm: str, seed: int, bundles: Path, able: Abilities) -> Iterator[Asked]:
    """All that is asked of an arm; tasks that its network is not made for are left out.

    Args:
        plan: the study.
        arm: its name.
        seed: of its trainings.
        bundles: folder with ``t3d_pretrain`` and the others.
        able: what its network can do.

    Raises:
        T3DError: a bundle has no overlay of a name, or a task lacks the names of lesions or of regions.
    """
    for task, wanted in plan.tasks.items():
        if wanted["arms"] is not None and arm not in wanted["arms"]:
            continue
        if task == "probe" and plan.arms[arm].kind != SCRATCH:
            for labels in wanted["labels"]:
                # one draw of all labels is the only one
                draws = 1 if labels == ALL else wanted["draws"]
                settings = {"labels": labels, "pool": wanted["pool"], "draws": draws, "l2": wanted["l2"]}
                yield Asked(task, labels, "probe", settings)
        elif task in STAGE_OF:
            settings = _fine_tuning(plan, task, seed, bundles)
            for labels in wanted["labels"]:
                yield Asked(task, labels, "fine_tuning", {**settings, "labels": labels})
        elif task in ("zero_shot", "retrieval") and able.reads_text:
            yield Asked(task, None, "text_task", _text_task(plan, task, bundles))
        elif task == "restoration" and able.restores:
            yield Asked(task, None, "restoration", _restoration(plan))


def _fine_tuning(plan: Plan, task: str, seed: int, bundles: Path) -> dict[str, Any]:
    """What decides a fine-tuning but its labels; tasks of one stage with the same settings share it."""
    stage, wanted = STAGE_OF[task], plan.tasks[task]
    recipe = plan.stages[stage].and_then(Recipe(tuple(wanted["overlays"]), dict(wanted["options"])))
    settings = {**run_settings(stage, recipe, seed, bundles), "task": stage if stage == "segmentation" else task}
    settings |= {key: wanted[key] for key in ("test_cases", "tolerance_mm") if wanted.get(key)}
    if task == "lesions" and not recipe_settings(stage, recipe, bundles).get("lesion_classes"):
        raise T3DError("task lesions: no class is named as lesions; give it the option lesion_classes")
    return settings


def _text_task(plan: Plan, task: str, bundles: Path) -> dict[str, Any]:
    wanted, usual = plan.tasks[task], TASKS[task]
    recipe = Recipe((task, *wanted["overlays"]), dict(wanted["options"]))
    # what is not asked for otherwise than ever stands in no hash
    unusual = {key: wanted[key] for key in ("prompts", "recall_at") if wanted.get(key) != usual.get(key)}
    return {**run_settings("pretrain", recipe, None, bundles, base="inference"), "task": task, **unusual}


def _restoration(plan: Plan) -> dict[str, Any]:
    """Of phantoms the regions are known."""
    wanted = {key: value for key, value in plan.tasks["restoration"].items() if key != "arms"}
    if wanted["regions"] is None:
        if "phantoms" not in plan.cohort:
            raise T3DError("task restoration: give its regions, the label values of organs and of lesions")
        organs = [LABELS[name] for name in ORGANS if name not in ("background", "muscle", "fat")]
        wanted["regions"] = {"organs": organs, "lesions": [LABELS[name] for name in LESIONS]}
    return {"task": "restoration", **wanted}
