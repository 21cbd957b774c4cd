"""What a recipe comes to, read from a bundle's configurations."""

from pathlib import Path
from typing import Any, NamedTuple

from t3d.errors import T3DError
from t3d.files import read_json, sha256
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


def run_settings(
    stage: str, recipe: Recipe, seed: int | None, bundles: Path, *, base: str = "train"
) -> dict[str, Any]:
    """What decides a bundle run: its configurations by name and content, and the options on top.

    Args:
        stage: such as "pretrain".
        recipe: its overlays and options.
        seed: of a training.
        bundles: see ``recipe_settings``.
        base: the configuration below the overlays.

    Raises:
        T3DError: the bundle has no configuration of a name.
    """
    folder = bundles / f"t3d_{stage}" / "configs"
    names = [base, *recipe.overlays]
    for name in names:
        if not (folder / f"{name}.json").is_file():
            there = ", ".join(sorted(file.stem for file in folder.glob("*.json")))
            raise T3DError(f"the bundle t3d_{stage} has no configuration {name!r}; it has {there or 'none'}")
    options = dict(recipe.options) if seed is None else {**recipe.options, "seed": seed}
    hashes = [[name, sha256(folder / f"{name}.json")] for name in names]
    return {"stage": stage, "configs": hashes, "options": options}


class Abilities(NamedTuple):
    """What the network of an arm can be asked beside its encoder.

    Attributes:
        reads_text: it has a head for sentences or for whole reports.
        restores: it restores corrupted crops.
    """

    reads_text: bool
    restores: bool


def abilities(plan: Plan, arm: str, bundles: Path) -> Abilities:
    """Those of an arm by the recipe of its pre-training; none where it has none."""
    if plan.arms[arm].kind in (ORACLE, SCRATCH):
        return Abilities(reads_text=False, restores=False)
    settings = recipe_settings("pretrain", plan.stages["pretrain"].and_then(plan.arms[arm].recipe), bundles)
    heads = settings.get("sentence_weight", 0) or settings.get("alignment_weight", 0)
    return Abilities(
        reads_text=bool(settings.get("use_text", True) and heads), restores=bool(settings.get("restoration_weight"))
    )
