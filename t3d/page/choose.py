"""Which cases of an evaluation a page shows."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")


def spread(per_case: Sequence[Mapping[str, Any]], count: int) -> list[Mapping[str, Any]]:
    """Cases of a segmentation from the worst to the best mean Dice, evenly: a page of the best would flatter.

    Args:
        per_case: of a ``metrics.json``: with ``classes``, each with ``dice`` or None where it is not defined.
        count: how many at most.
    """
    return evenly(sorted(per_case, key=_mean_dice), count)


def evenly(found: Sequence[T], count: int) -> list[T]:
    """``count`` of a sequence in its order, with the first and the last; all of a shorter one."""
    if len(found) <= count:
        return list(found)
    return [found[int(place)] for place in np.rint(np.linspace(0, len(found) - 1, count))]


def _mean_dice(case: Mapping[str, Any]) -> float:
    known = [measures["dice"] for measures in case["classes"].values() if measures["dice"] is not None]
    return float(np.mean(known)) if known else 0.0
