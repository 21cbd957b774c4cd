"""The plan of a study: which arms, seeds, budgets of labels and tasks; every unknown or wrong entry is named."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from t3d.errors import raise_faults
from t3d.study.plan_cohort import read_cohort
from t3d.study.plan_entries import Recipe, nearest, read_recipe, unknown_names, whole_numbers
from t3d.study.plan_file import read_plan_file
from t3d.study.plan_prompts import inline_prompts
from t3d.study.plan_tasks import read_tasks
from t3d.study.published_numbers import benchmarks

STAGES = ("pretrain", "classification", "segmentation")
_NUMBERS = ("least_positives", "resamples")

# How an arm comes to its encoder
TRAINED, UNTRAINED, SHUFFLED, ORACLE, SCRATCH = "trained", "untrained", "shuffled", "oracle", "scratch"
GIVEN = "given"
KINDS = (TRAINED, UNTRAINED, SHUFFLED, ORACLE, SCRATCH, GIVEN)
_OF_AN_ARM = ("kind", "overlays", "options", "seeds", "control", "encoder")


@dataclass(frozen=True)
class Arm:
    """One way to come to an encoder.

    Attributes:
        kind: one of ``KINDS``.
        recipe: what its training has besides that of the stage.
        seeds: some of the plan's.
        control: the arm with the same recipe and shuffled reports, if it is not the first of that kind.
        encoder: of the kind ``given``: where its weights lie, if the command does not say.
    """

    kind: str
    recipe: Recipe
    seeds: tuple[int, ...]
    control: str | None = None
    encoder: str | None = None


@dataclass(frozen=True)
class Plan:
    """A study.

    Attributes:
        cohort: ``{"phantoms": {..}}``, ``{"datalist": absolute path}`` or ``{"published": {..}}``; the last becomes
            ``{"datalists": [one, or one for each fold], "classes"}`` when it is read.
        stages: stage -> what all its runs have.
        arms: name -> arm, in the order of the table.
        seeds: of trainings; an arm may have fewer of them.
        tasks: name -> all its settings.
        reference: the arm that is the zero line.
        least_positives: findings with fewer in the test list are left out.
        resamples: of patients.
        benchmark: whose published numbers stand beside the results.
    """

    cohort: dict[str, Any]
    stages: dict[str, Recipe]
    arms: dict[str, Arm]
    seeds: tuple[int, ...]
    tasks: dict[str, dict[str, Any]]
    reference: str
    least_positives: int = 20
    resamples: int = 1000
    benchmark: str | None = None

    def controls(self) -> dict[str, str]:
        """Arm -> the arm of shuffled reports that it is held against; none for those themselves."""
        first = self.of_kind(SHUFFLED)
        held = {name: arm.control or first for name, arm in self.arms.items() if arm.kind != SHUFFLED}
        return {name: control for name, control in held.items() if control is not None}

    def of_kind(self, kind: str) -> str | None:
        """The first arm of a kind."""
        return next((name for name, arm in self.arms.items() if arm.kind == kind), None)


def read_plan(path: str | Path) -> Plan:
    """Read a plan: a JSON file, or the name of one that is shipped (``study_cpu``, ``study_gpu``).

    Raises:
        T3DError: no such plan, or all that is wrong with it, in one message.
    """
    return make_plan(read_plan_file(path), name=Path(path).name)


def make_plan(content: Mapping[str, Any], *, name: str) -> Plan:
    """Check the content of a plan.

    Args:
        content: of the file, see ``read_plan_file``; its paths are absolute.
        name: of the file, for messages.
    """
    faults: list[str] = []
    numbers = {key: content[key] for key in _NUMBERS if key in content}
    known = ("_comment_", "cohort", *STAGES, "arms", "seeds", "tasks", "reference", *_NUMBERS, "benchmark")
    unknown_names(content, known, "the plan", faults)
    cohort = read_cohort(content.get("cohort"), faults)
    stages = {stage: read_recipe(content.get(stage, {}), stage, faults) for stage in STAGES}
    seeds = content.get("seeds", [0])
    if not whole_numbers(seeds, least=0) or not seeds or len(set(seeds)) < len(seeds):
        faults.append(f"seeds is {seeds!r}; give a list of different whole numbers, such as [0, 1, 2]")
        seeds = [0]
    arms = _arms(content.get("arms"), seeds, faults)
    tasks = inline_prompts(read_tasks(content.get("tasks"), arms, faults), faults)
    reference = content.get("reference", next(iter(arms), None))
    if arms and reference not in arms:
        faults.append(f"reference {reference!r} is no arm{nearest(reference, arms)}")
    faults += [
        f"{key} is {value!r}; give a whole number above 0"
        for key, value in numbers.items()
        if not whole_numbers([value], least=1)
    ]
    benchmark = content.get("benchmark")
    if benchmark is not None and benchmark not in benchmarks():
        faults.append(f"benchmark {benchmark!r} has no published numbers{nearest(benchmark, benchmarks())}")
    raise_faults(faults, name)
    return Plan(cohort, stages, arms, tuple(seeds), tasks, str(reference), benchmark=benchmark, **numbers)


def _arms(given: Any, seeds: list[int], faults: list[str]) -> dict[str, Arm]:
    if not isinstance(given, Mapping) or not given:
        faults.append('arms must be an object of arms by their names, such as {"twin": {"overlays": ["vision_only"]}}')
        return {}
    arms = {}
    for name, one in given.items():
        recipe = read_recipe(one, f"arm {name}", faults, known=_OF_AN_ARM)
        own = one.get("seeds", seeds) if isinstance(one, Mapping) else seeds
        if not isinstance(own, list) or not own or not all(seed in seeds for seed in own):
            faults.append(f"arm {name}: seeds is {own!r}; give some of the plan's, {seeds}")
            own = seeds
        kind = one.get("kind", TRAINED) if isinstance(one, Mapping) else TRAINED
        if kind not in KINDS:
            faults.append(f"arm {name}: kind {kind!r} is unknown{nearest(kind, KINDS)}")
        if kind != SHUFFLED and recipe.options.get("shuffle_reports"):
            faults.append(f'arm {name} shuffles reports; say "kind": "shuffled", so that it is checked')
        if not name.replace("_", "").replace("-", "").isalnum():
            faults.append(f"arm {name!r}: use letters, digits, - and _ only, folders are named after it")
        control = one.get("control") if isinstance(one, Mapping) else None
        if control is not None and (control not in given or given[control].get("kind") != SHUFFLED):
            faults.append(f"arm {name}: control is {control!r}; name an arm of the kind {SHUFFLED!r}")
        encoder = one.get("encoder") if isinstance(one, Mapping) else None
        if kind != GIVEN and encoder is not None:
            faults.append(f'arm {name}: an encoder is of the kind "given"; this one is {kind!r}')
        if kind == GIVEN and (recipe.overlays or recipe.options):
            faults.append(f"arm {name}: its encoder is trained already; leave out overlays and options")
        arms[name] = Arm(kind, recipe, tuple(own), control, None if encoder is None else str(encoder))
    return arms
