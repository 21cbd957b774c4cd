"""The control "reports shuffled": every volume with the report of another patient."""

import hashlib
from collections.abc import Sequence

from t3d.data.wordings import REPORTS
from t3d.errors import T3DError


def shuffle_reports(items: Sequence[dict], *, seed: int) -> list[dict]:
    """Give every patient's cases the reports of another patient (ours).

    All patients stand in a circle, in an order that depends on the seed and their ids alone, and each gets the
    reports of the next one; no patient keeps its own. What is learnt from such pairs cannot come from what a report
    says about its volume.

    Args:
        items: datalist items with ``case_id``, ``patient_id`` and ``report``.
        seed: of the order.

    Returns:
        New items in the same order, all else unchanged.

    Raises:
        T3DError: fewer than two patients.
    """
    cases: dict[str, list[dict]] = {}
    for item in sorted(items, key=lambda item: item["case_id"]):
        cases.setdefault(item["patient_id"], []).append(item)
    circle = sorted(cases, key=lambda name: hashlib.sha256(f"shuffle {seed}\n{name}".encode()).digest())
    if len(circle) < 2:
        raise T3DError(f"shuffle_reports needs two patients or more, the list has {len(circle)}: add cases or drop it")
    given: dict[str, dict] = {}
    for place, patient in enumerate(circle):
        others = cases[circle[(place + 1) % len(circle)]]
        for number, item in enumerate(cases[patient]):
            given[item["case_id"]] = others[number % len(others)]
    return [_with_report_of(given[item["case_id"]], item) for item in items]


def _with_report_of(other: dict, item: dict) -> dict:
    """Report and, where there are some, all its wordings; none of the item's own may stay."""
    kept = {key: value for key, value in item.items() if key not in ("report", REPORTS)}
    return kept | {key: other[key] for key in ("report", REPORTS) if key in other}
