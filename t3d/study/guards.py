"""What makes a comparison worthless without anybody noticing, looked for before and after the trainings."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from t3d.data.datalist import load_datalist
from t3d.data.wordings import texts_of
from t3d.errors import T3DError
from t3d.files import sha256
from t3d.study.outcome import Outcome

# Reports of two patients may be the same words: "no finding" is the most frequent report of a screening cohort.
SAME_REPORTS = 0.5
# A word that so many of the test list's reports have, and none of those that are learnt from, was not written by the
# same people: it may hold the answers.
FOREIGN_SHARE = 0.2
# .. unless so few reports are learnt from that they may lack it by chance
BY_CHANCE = 1e-6
_WORD = re.compile(r"[^\W\d_]+(?:_[^\W\d_]+)*")
_STATED = r"{name}\s*[\"']?\s*[:=]\s*[\"']?\s*(?:[01]\b|true\b|false\b)"


def check_cohort(lists: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Refuse a cohort whose test list was seen in training or whose test reports give the labels away.

    Args:
        lists: split -> items with ``case_id``, ``image`` and, where there are some, ``report`` and ``findings``.

    Raises:
        T3DError: an image stands in two lists under two names; test reports state findings as labels; or they have
            words that no training report has.
    """
    _no_image_twice(lists)
    _no_stated_labels(lists["test"])
    _no_foreign_words(lists)


def check_shuffled(recipe: Mapping[str, Any], datalist: Path) -> None:
    """Refuse a control "shuffled reports" that was trained on the right ones.

    Args:
        recipe: what the finished training recorded.
        datalist: what it was trained on.

    Raises:
        T3DError: the training did not shuffle, a case kept the report of its own patient, or most reports are alike.
    """
    if not recipe.get("shuffle_reports") or not recipe.get("use_text", True):
        raise T3DError(
            "the arm of shuffled reports was trained without shuffle_reports: its overlays or options undo it; take "
            "them out of the plan"
        )
    right = load_datalist(datalist, "training")
    wrong = load_datalist(datalist, "training", shuffle_seed=int(recipe["seed"]))
    _shuffled_enough(right, wrong)


def same_numbers(outcomes: Mapping[str, Mapping[int, Outcome]]) -> list[str]:
    """A sentence for every two arms that answer alike to the last digit: one was not trained, or both are one.

    Args:
        outcomes: arm -> seed -> outcome of one task.
    """
    said = []
    for (one, mine), (other, theirs) in itertools.combinations(outcomes.items(), 2):
        common = [seed for seed in mine if seed in theirs]
        if common and all(np.array_equal(mine[s].values, theirs[s].values, equal_nan=True) for s in common):
            said.append(f"{one} and {other} have the same numbers in every case: one may not have been trained")
    return said


def _shuffled_enough(right: Sequence[Mapping[str, Any]], wrong: Sequence[Mapping[str, Any]]) -> None:
    said = {item["case_id"]: item["report"] for item in right}
    common = Counter(said.values())
    # where a text stands under several patients, another patient's may be the same one
    once = [item for item in wrong if common[said[item["case_id"]]] == 1]
    kept = [item["case_id"] for item in once if said[item["case_id"]] in texts_of(item)]
    if kept:
        raise T3DError(
            f"the reports of the shuffled arm are not shuffled: {len(kept)} of {len(right)} cases kept their own, "
            f"such as case {kept[0]}; the arm is no control"
        )
    same = sum(item["report"] == said[item["case_id"]] for item in wrong)
    if same > SAME_REPORTS * len(right):
        raise T3DError(
            f"{same} of {len(right)} cases of the shuffled arm have a report in the very words of their own: reports "
            "of this cohort are too much alike for this control; leave the arm out"
        )


def _no_image_twice(lists: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    files = [(split, item["case_id"], Path(item["image"])) for split, items in lists.items() for item in items]
    sizes = Counter(_size(path) for _, _, path in files)
    seen: dict[str, tuple[str, str]] = {}
    for split, case, path in files:
        if sizes[_size(path)] < 2:  # only files of one size can be equal: terabytes are not read for nothing
            continue
        other, twin = seen.setdefault(_content(path), (split, case))
        if other != split:
            raise T3DError(
                f"case {case} of the {split} list and case {twin} of the {other} list have the same image; "
                "leave one out"
            )


def _no_stated_labels(test: Iterable[Mapping[str, Any]]) -> None:
    cases = list(test)
    names = sorted({name for item in cases for name in item.get("findings") or {}})
    patterns = [re.compile(_STATED.format(name=re.escape(name).replace("_", "[_ ]")), re.I) for name in names]
    told = [item["case_id"] for item in cases if any(one.search(_text(item)) for one in patterns)]
    if told:
        raise T3DError(
            f"{len(told)} of {len(cases)} reports of the test list state findings as labels, such as that of case "
            f"{told[0]}: the answers are in the question; give the reports as they were written"
        )


def _no_foreign_words(lists: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    learnt = [
        words for split in ("training", "validation") for item in lists.get(split, ()) if (words := _words(item))
    ]
    known = {word for words in learnt for word in words}
    reports = [words for item in lists["test"] if (words := _words(item))]
    if not known or not reports:
        return
    foreign = Counter(word for words in reports for word in words - known)
    most = max(foreign.values(), default=0)
    share = most / len(reports)
    if most > 2 and share > FOREIGN_SHARE and (1 - share) ** len(learnt) < BY_CHANCE:
        raise T3DError(
            f"{most} of {len(reports)} reports of the test list share a word that no report of the other lists has: "
            "they were written or changed otherwise, and may hold the labels; split the cohort again"
        )


def _words(item: Mapping[str, Any]) -> set[str]:
    return set(_WORD.findall(_text(item).lower()))


def _text(item: Mapping[str, Any]) -> str:
    """All wordings of an item's report."""
    return "\n".join(str(text or "") for text in texts_of(item))


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else sum(one.stat().st_size for one in path.rglob("*"))


def _content(path: Path) -> str:
    if path.is_file():
        return sha256(path)
    return sha256("".join(sha256(one) for one in sorted(path.rglob("*")) if one.is_file()).encode())
