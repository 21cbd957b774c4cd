"""Several wordings of one report in a datalist: every draw of a case shows one of them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

REPORTS = "reports"  # of a datalist's item: all wordings, ``report`` among them
WORDINGS = "wordings"  # of a prepared case: what ``Wordings`` is kept under
_STREAM = 77  # apart from what else is drawn with the seed of a draw


def texts_of(item: Mapping[str, Any]) -> list[Any]:
    """All wordings of an item's report: those in ``reports``, or ``report`` alone."""
    return list(item.get(REPORTS) or [item.get("report")])


def every_wording(items: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Each item once for each of its wordings, that one as ``report``."""
    for item in items:
        for text in texts_of(item):
            yield {**item, "report": text}


class Wordings:
    """The wordings of one case, read when they are drawn: features of all would take as many times the memory.

    Args:
        case_id: of the case.
        texts: at least one.
        read: from an item with ``case_id`` and ``report`` to what the network takes.
    """

    def __init__(self, case_id: Any, texts: Sequence[str], read: Callable[[dict], Mapping]) -> None:
        self.case_id, self.texts, self.read = case_id, tuple(texts), read

    def draw(self, seed: int) -> dict[str, Any]:
        """The entries of one wording, chosen by the seed of a draw."""
        place = int(np.random.default_rng([_STREAM, seed]).integers(len(self.texts)))
        return dict(self.read({"case_id": self.case_id, "report": self.texts[place]}))


def with_one_wording(item: dict[str, Any], seed: int) -> dict[str, Any]:
    """The item with the entries of one of its wordings; an item without ``Wordings`` as it is."""
    if WORDINGS not in item:
        return item
    rest = {key: value for key, value in item.items() if key != WORDINGS}
    return rest | item[WORDINGS].draw(seed)
