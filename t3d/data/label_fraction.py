"""Few labels: seeded subsets of the patients, each inside the next larger one."""

import hashlib
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from t3d.errors import T3DError
from t3d.files import read_json, write_json

logger = logging.getLogger(__name__)

TRAINING = "training"  # the list whose share a record holds itself; that of another list stands under its name


def choose_fraction(
    items: Sequence[dict],
    *,
    fraction: float,
    seed: int,
    record_file: str | Path | None = None,
    stratify: str | None = None,
    split: str = TRAINING,
) -> list[dict]:
    """Keep a share of the patients, with all their cases; all of them, and no record, where there is no choice.

    Patients stand in one order that depends on the seed and their ids alone, and the first of them are kept: so
    1 % lies inside 10 % inside 100 %, and every initialisation that is compared sees the same cases.

    Args:
        items: datalist items with ``patient_id`` and ``case_id``, in any order.
        fraction: share of the patients in (0, 1]; rounded up to whole patients. At 1, and of no items, nothing is
            chosen.
        seed: of the order.
        record_file: JSON file that says what was kept: ``fraction``, ``seed``, ``stratify``, ``patients``, ``cases``
            and ``of`` (both numbers of the whole list); for another list than that of training under its name.
        stratify: key of an item's findings, ``{name: 0 / 1 / None}``, or of one class (a string or a number). The
            order then goes, class after class, to the one furthest behind its share, the rarest first (after
            iterative stratification, Sechidis et al. 2011); patients without a positive finding are a class too.
            So with C classes the first C patients already show each of them, and the subsets are still nested.
        split: name of the list, for the record and for messages.

    Returns:
        The items that are kept, in the order they came in.

    Raises:
        T3DError: a fraction outside (0, 1], no item has ``stratify``, or ``record_file`` records another
            subset.
    """
    if isinstance(fraction, bool) or not isinstance(fraction, int | float) or not 0 < fraction <= 1:
        raise T3DError(f"label_fraction {fraction!r} is outside (0, 1]: 0.1 keeps a tenth of the patients, 1.0 all")
    if fraction == 1 or not items:
        return list(items)
    patients = sorted({str(item["patient_id"]) for item in items}, key=lambda name: _key(seed, name))
    if stratify is not None:
        patients = _spread(patients, _classes(items, stratify))
    # the tiny step back keeps 0.07 * 100 = 7.000000000000001 at 7
    count = max(1, math.ceil(fraction * len(patients) - 1e-9))
    kept = set(patients[:count])
    chosen = [item for item in items if str(item["patient_id"]) in kept]
    logger.info(
        "label_fraction %g of the %s list, seed %d: %d of %d patients, %d of %d cases",
        fraction, split, seed, count, len(patients), len(chosen), len(items),
    )  # fmt: skip
    if record_file is not None:
        _record(
            Path(record_file),
            {
                "fraction": float(fraction),
                "seed": seed,
                "stratify": stratify,
                "patients": sorted(kept),
                "cases": sorted(str(item["case_id"]) for item in chosen),
                "of": {"patients": len(patients), "cases": len(items)},
            },
            split,
        )
    return chosen


def _key(seed: int, patient: str) -> bytes:
    # the id breaks the (unreal) tie of two equal digests
    return hashlib.sha256(f"{seed}\n{patient}".encode()).digest() + patient.encode()


def _classes(items: Iterable[Mapping[str, Any]], key: str) -> dict[str, set[str]]:
    """Class -> patients with at least one case of it."""
    found: dict[str, set[str]] = {}
    seen = False
    for item in items:
        value = item.get(key)
        if value is None:
            continue
        seen = True
        names = [name for name, state in value.items() if state == 1] if isinstance(value, Mapping) else [str(value)]
        for name in names:
            found.setdefault(name, set()).add(str(item["patient_id"]))
    if not seen:
        raise T3DError(f"stratify {key!r}: no case of the list has it; leave it out or name another key")
    return found


def _spread(patients: Sequence[str], classes: Mapping[str, set[str]]) -> list[str]:
    """The same patients so that every class comes early and then at its share."""
    plain = set(patients).difference(*classes.values()) if classes else set(patients)
    members = {**classes, "": plain} if plain else dict(classes)
    queues = {name: iter([p for p in patients if p in members[name]]) for name in members}
    names_of = {p: [name for name in members if p in members[name]] for p in patients}
    got = dict.fromkeys(members, 0)
    taken: dict[str, None] = {}
    while len(taken) < len(patients):
        # share of a class already taken; at a tie the rarest, then the name, so that the list's order is no matter
        name = min(queues, key=lambda n: (got[n] / len(members[n]), len(members[n]), n))
        patient = next((p for p in queues[name] if p not in taken), None)
        if patient is None:
            del queues[name]
            continue
        taken[patient] = None
        for other in names_of[patient]:
            got[other] += 1
    return list(taken)


def _record(file: Path, content: dict, split: str) -> None:
    remedy = "delete it, or choose another folder for this run"
    whole = read_json(file, what="record of a label fraction", remedy=remedy) if file.is_file() else {}
    others = {key: value for key, value in whole.items() if isinstance(value, dict) and key != "of"}
    training = {key: value for key, value in whole.items() if key not in others}
    earlier = training if split == TRAINING else others.get(split, {})
    if earlier == content:
        return
    if earlier:
        changed = [
            f"{key} {earlier.get(key)!r} there, {content[key]!r} now"
            for key in ("fraction", "seed", "stratify", "of")
            if earlier.get(key) != content[key]
        ]
        raise T3DError(
            f"{file} records another subset of the {split} list ({'; '.join(changed) or 'other patients'}). Use the "
            "settings and the list it was made with, or another --ckpt_dir to start anew; nothing was changed"
        )
    write_json(file, {**content, **others} if split == TRAINING else {**whole, split: content})
