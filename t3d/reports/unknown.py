"""How much of the reports a text encoder cannot read: what its vocabulary has only one token for."""

import hashlib
import logging
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from t3d.errors import SHOWN_FAULTS

logger = logging.getLogger(__name__)

MUCH = 0.05  # share of a report's tokens, or letters, from which on it is named (ours)
_LATIN = frozenset(chr(code) for code in range(0x250) if chr(code).isalpha()) | frozenset(
    chr(code) for code in range(0x1E00, 0x1F00)
)


class UnknownTokens:
    """Counts over reports; it holds hashes and case ids, never text or tokens.

    Args:
        unknown_id: the tokenizer's [UNK], or None where it has none.

    Attributes:
        tokens, unknown: tokens of all reports, and those that are [UNK].
        cases: cases of which 5 % of the tokens or more are [UNK].
        confused: cases whose tokens, [UNK] among them, are those of another, different report.
    """

    def __init__(self, unknown_id: int | None) -> None:
        self.unknown_id = unknown_id
        self.reports = self.tokens = self.unknown = 0
        self.cases: list[str] = []
        self.confused: list[str] = []
        self._texts: dict[bytes, int] = {}

    def add(self, case_id: str, ids: Tensor, number: int) -> None:
        """Count one report: its tokens (n,) int64, and its ``report_number``."""
        unknown = 0 if self.unknown_id is None else int((ids == self.unknown_id).sum())
        self.reports += 1
        self.tokens += len(ids)
        self.unknown += unknown
        if unknown >= MUCH * len(ids) and unknown:
            self.cases.append(case_id)
        key = hashlib.blake2b(ids.numpy().tobytes(), digest_size=16).digest()
        if self._texts.setdefault(key, number) != number and unknown:
            self.confused.append(case_id)

    def say(self, encoder: str, *, list_name: str = "") -> None:
        """Log a warning where a report is hardly read or taken for another one."""
        where = f"{list_name}: " if list_name else ""
        if self.cases:
            logger.warning(
                "%stext encoder %s knows %.1f %% of the tokens only as [UNK]; in %d of %d reports it is %.0f %% or "
                "more (%s): choose an encoder for their language",
                where, encoder, 100 * self.unknown / self.tokens, len(self.cases), self.reports, 100 * MUCH,
                _shown(self.cases),
            )  # fmt: skip
        if self.confused:
            logger.warning(
                "%s%d of %d reports become the same tokens as another, different report (%s), since %s knows their "
                "words only as [UNK]",
                where, len(self.confused), self.reports, _shown(self.confused), encoder,
            )  # fmt: skip

    def as_dict(self) -> Mapping[str, Any]:
        """For a JSON file."""
        return {name: getattr(self, name) for name in ("tokens", "unknown", "cases", "confused")}


def foreign_share(text: str) -> float:
    """Share of the letters that are not Latin: an English vocabulary knows them as single signs or as [UNK]."""
    letters = [letter for letter in text if letter.isalpha()]
    return sum(letter not in _LATIN for letter in letters) / max(1, len(letters))


def _shown(cases: list[str]) -> str:
    return ", ".join(cases[:SHOWN_FAULTS]) + (" .." if len(cases) > SHOWN_FAULTS else "")
