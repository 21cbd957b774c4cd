"""What whoever runs a plan brings: the folder of a published cohort, and trained encoders."""

from dataclasses import replace
from pathlib import Path

from t3d.errors import T3DError
from t3d.study.named_paths import named_paths
from t3d.study.plan import GIVEN, Plan
from t3d.study.published_cohort import read_published


def with_encoders(plan: Plan, text: str | None) -> Plan:
    """The plan with the weights of its given encoders.

    Args:
        plan: the study.
        text: of ``--encoder``.

    Raises:
        T3DError: an arm has none, or the plan has no such arm.
    """
    names = [name for name, arm in plan.arms.items() if arm.kind == GIVEN]
    paths = named_paths(text, names, option="encoder")
    arms = {name: replace(arm, encoder=str(paths[name])) if name in paths else arm for name, arm in plan.arms.items()}
    without = [name for name in names if arms[name].encoder is None]
    if without:
        shown = "PATH" if len(names) == 1 else ",".join(f"{name}=PATH" for name in names)
        raise T3DError(
            f"the plan holds an encoder of yours against others as {', '.join(without)}; give --encoder {shown}, the "
            "ckpt_dir of its pre-training"
        )
    return replace(plan, arms=arms)


def with_cohort(plan: Plan, text: str | None, folder: Path) -> tuple[Plan, list[str]]:
    """The plan with the datalists of its published cohorts, and notes for its results; other plans as they are.

    Args:
        plan: the study.
        text: of ``--cohort_dir``.
        folder: for the datalists.

    Raises:
        T3DError: see ``read_published``, or the plan has no published cohort.
    """
    roots = named_paths(text, list(plan.cohort.get("published", {})), option="cohort_dir")
    if "published" not in plan.cohort:
        return plan, []
    read = read_published(plan.cohort, roots, folder)
    cohort = {"datalists": [str(file) for file in read.datalists], "classes": read.classes}
    return replace(plan, cohort=cohort), read.notes
