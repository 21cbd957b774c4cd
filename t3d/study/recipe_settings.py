"""What a recipe's settings come to, read from a bundle's configurations."""

from pathlib import Path
from typing import Any

from t3d.errors import T3DError
from t3d.files import read_json
from t3d.phantoms.tissues import LABELS, LESIONS, ORGANS
from t3d.study.plan import ORACLE, SCRATCH, Plan
from t3d.study.plan_entries import Recipe


def recipe_settings(stage: str, recipe: Recipe, bundles: Path) -> dict[str, Any]:
    """All entries of ``train.json`` with the overlays and options of a recipe on top, as they are written.

    Overlays that the bundle does not have are left out: the run's own check names them.

    Args:
        stage: such as "pretrain".
        recipe: its overlays and options.
        bundles: folder with ``t3d_pretrain`` and the others.
    """
    settings: dict[str, Any] = {}
    for name in ("train", *recipe.overlays):
        file = bundles / f"t3d_{stage}" / "configs" / f"{name}.json"
        if file.is_file():
            settings |= read_json(file, what="configuration", remedy="restore it")
    return settings | recipe.options


def arm_settings(plan: Plan, arm: str, bundles: Path) -> dict[str, Any] | None:
    """``recipe_settings`` of an arm's pre-training; None where it has none."""
    if plan.arms[arm].kind in (ORACLE, SCRATCH):
        return None
    return recipe_settings("pretrain", plan.stages["pretrain"].and_then(plan.arms[arm].recipe), bundles)


def reads_text(plan: Plan, arm: str, bundles: Path) -> bool:
    """Whether the network of an arm can be asked in words: it has a head for sentences or for whole reports."""
    settings = arm_settings(plan, arm, bundles)
    if settings is None:
        return False
    weights = (settings.get("sentence_weight", 0), settings.get("alignment_weight", 0))
    return bool(settings.get("use_text", True)) and any(weights)


def restores(plan: Plan, arm: str, bundles: Path) -> bool:
    """Whether the network of an arm restores corrupted crops."""
    settings = arm_settings(plan, arm, bundles)
    return settings is not None and bool(settings.get("restoration_weight"))


def restoration_settings(plan: Plan) -> dict[str, Any]:
    """What decides the task ``restoration`` but the network: of phantoms the regions are known.

    Raises:
        T3DError: no regions for a datalist of the user's.
    """
    wanted = {key: value for key, value in plan.tasks["restoration"].items() if key != "arms"}
    if wanted["regions"] is None:
        if "phantoms" not in plan.cohort:
            raise T3DError("task restoration: give its regions, the label values of organs and of lesions")
        organs = [LABELS[name] for name in ORGANS if name not in ("background", "muscle", "fat")]
        wanted["regions"] = {"organs": organs, "lesions": [LABELS[name] for name in LESIONS]}
    return {"task": "restoration", **wanted}
