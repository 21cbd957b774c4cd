"""What a segmentation leaves of the test cases: overlap of the organs, and its lesions one by one."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from t3d.study.outcome import FROC, Outcome, measures

# which of them a task is asked for: tasks with the same settings share a training
KINDS_OF = {
    "organs": ("dice", "surface_dice"),
    "lesions": (FROC, "lesion_sensitivity", "false_positives_per_case"),
}


def segmentation_outcomes(per_case: Sequence[Mapping]) -> list[Outcome]:
    """Dice and surface Dice of the classes that are no lesions, of all where there is no other; then the lesions.

    Args:
        per_case: of the ``metrics.json`` of the segmentation bundle.
    """
    lesions = list(per_case[0]["lesions"])
    classes = list(per_case[0]["classes"])
    organs = [name for name in classes if name not in lesions] or classes
    who = [case["case_id"] for case in per_case], [case["patient_id"] for case in per_case]

    def overlap(measure: str) -> Outcome:
        rows = [[case["classes"][name][measure] for name in organs] for case in per_case]
        return measures(measure, rows, *who, organs)

    found = [overlap("dice"), overlap("surface_dice")]
    if not lesions:
        return found
    shares = [[_found(case["lesions"][name]["lesions"]) for name in lesions] for case in per_case]
    false = [[len(case["lesions"][name]["false_positives"]) for name in lesions] for case in per_case]
    return [
        *found,
        _froc([[case["scored_lesions"][name] for name in lesions] for case in per_case], *who, lesions),
        measures("lesion_sensitivity", shares, *who, lesions),
        measures("false_positives_per_case", false, *who, lesions),
    ]


def _found(lesions: Sequence[Mapping]) -> float:
    """Share of a case's lesions that the segmentation as it comes finds; NaN without one."""
    return sum(one["detected"] for one in lesions) / len(lesions) if lesions else math.nan


def _froc(scored: Sequence[Sequence[Mapping]], cases: list[str], patients: list[str], targets: list[str]) -> Outcome:
    """Scores in slots, lesions first, so that all arms have the same lesion in the same one."""
    slots = max(1, *(len(one["lesions"]) + len(one["false_positives"]) for case in scored for one in case))
    values = np.full((slots, len(cases), len(targets)), np.nan)
    sizes = values.copy()
    for row, case in enumerate(scored):
        for column, one in enumerate(case):
            lesions = one["lesions"]
            scores = [*(lesion["score"] for lesion in lesions), *one["false_positives"]]
            values[: len(scores), row, column] = scores
            sizes[: len(scores), row, column] = 0
            sizes[: len(lesions), row, column] = [lesion["mm3"] for lesion in lesions]
    return Outcome(FROC, values, np.full(values.shape[1:], np.nan), cases, patients, targets, sizes)
