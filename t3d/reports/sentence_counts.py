"""How many cases say a sentence: what everybody says tells little about a volume."""

from collections.abc import Iterable

import numpy as np

_ROUTINE_SHARE, _LEAST_ROUTINE = 0.02, 3


class SentenceCounts:
    """Numbers of sentences that more than one case says, with their counts, as two arrays.

    Args:
        counts: pairs of a sentence's number and of how many cases say it.
        cases: how many cases were counted.
    """

    def __init__(self, counts: Iterable[tuple[int, int]] = (), cases: int = 0) -> None:
        shared = sorted((number, count) for number, count in counts if count > 1)
        self._numbers = np.array([number for number, _ in shared], dtype=np.int64)
        self._counts = np.array([count for _, count in shared], dtype=np.int64)
        self._routine_from = max(_LEAST_ROUTINE, _ROUTINE_SHARE * cases)

    def weight(self, numbers: np.ndarray) -> np.ndarray:
        """1 / sqrt(cases that say it) for each of the sentences ``numbers`` (R,) int64, float32; 1 for unknown ones.

        The root lies between drawing sentences as reports give them and drawing each distinct one alike (ours).
        """
        return (1 / np.sqrt(self._count(numbers))).astype(np.float32)

    def routine(self, numbers: np.ndarray) -> np.ndarray:
        """Whether 2 % of the cases, and three at least, say each of the sentences ``numbers`` (R,), bool (ours)."""
        return self._count(numbers) >= self._routine_from

    def _count(self, numbers: np.ndarray) -> np.ndarray:
        if not len(self._numbers):
            return np.ones(len(numbers), dtype=np.int64)
        place = np.minimum(np.searchsorted(self._numbers, numbers), len(self._numbers) - 1)
        return np.where(self._numbers[place] == numbers, self._counts[place], 1)
