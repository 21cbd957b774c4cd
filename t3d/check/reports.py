"""The reports of a cohort: empty, no text, too long, the same, nearly the same, of another part of the body."""

import hashlib
import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from t3d.check.near_duplicates import HASHES, near_duplicates, signature
from t3d.check.regions import REGIONS, foreign_reports, region_words
from t3d.check.remark import Remark
from t3d.data.report_format import report_format_fault
from t3d.reports.clean import clean_report
from t3d.reports.sections import select_sections
from t3d.reports.unknown import MUCH, foreign_share

# Measured with BERT's uncased vocabulary on 271 real reports: 1.11 (0.97 to 1.19) tokens per piece as counted here.
TOKENS_PER_PIECE = 1.11
# UTF-8 taken for Latin-1 ("cm\u00c2\u00b2"), and bytes that no text has.
_MISREAD = re.compile("[\u00c2\u00c3][\u0080-\u00bf]|\ufffd")


class ReportBook:
    """Notes on each report, some 300 bytes each, never its text.

    Args:
        size: number of cases.
        max_tokens: of the text encoder.
    """

    def __init__(self, size: int, *, max_tokens: int) -> None:
        self.max_tokens = max_tokens
        self.tokens = np.zeros(size, np.int32)
        self.signatures = np.zeros((size, HASHES), np.uint32)
        self.regions = np.zeros((size, len(REGIONS)), np.uint8)
        self.foreign = np.zeros(size, np.float32)
        self.first: dict[bytes, int] = {}
        self.same: list[tuple[int, int]] = []
        self.empty: list[tuple[int, str]] = []
        self.faults: list[tuple[int, str]] = []

    def add(self, number: int, report: Any) -> None:
        """Note the report of case ``number``."""
        text = clean_report(report) if isinstance(report, str) else ""
        if report is None or (isinstance(report, str) and not text):
            self.empty.append((number, "has no report" if report is None else "has an empty report"))
            return
        if not isinstance(report, str):
            self.faults.append((number, f"is a {type(report).__name__}, not text; put the text itself there"))
            return
        fault = report_format_fault(report)
        if fault is not None:
            self.faults.append((number, fault))
            return
        if any("\ud800" <= sign <= "\udfff" for sign in report):
            self.faults.append((number, "has broken characters (lone surrogates); export it again as UTF-8"))
            return
        if _MISREAD.search(report):
            self.faults.append((number, "was read in another encoding than it was written in; export it as UTF-8"))
        self.tokens[number] = token_estimate(select_sections(text))
        self.signatures[number] = signature(text)
        self.regions[number] = region_words(text)
        self.foreign[number] = foreign_share(text)
        words = " ".join(re.findall(r"\w+", text.lower()))
        digest = hashlib.blake2b(words.encode(), digest_size=16).digest()
        if self.first.setdefault(digest, number) != number:
            self.same.append((number, self.first[digest]))

    def remarks(self, cases: list[tuple[str, str, str]], *, needed: bool) -> Iterator[Remark]:
        """What there is to say.

        Args:
            cases: (case_id, split, patient_id) in the order of the numbers.
            needed: whether a missing report is a fault; an empty one is one in any case where reports are used.
        """
        for number, what in self.empty if needed else ():
            yield _remark(cases, number, "report", f"{what}; add the text, or train with --use_text False", fault=True)
        for number, what in self.faults:
            yield _remark(cases, number, "report", what, fault=True)
        for number in np.flatnonzero(self.tokens > self.max_tokens).tolist():
            what = f"has about {self.tokens[number]} tokens, {self.max_tokens} are read; the training cuts it"
            yield _remark(cases, number, "long report", what)
        for number in np.flatnonzero(self.foreign >= MUCH).tolist():
            what = (
                f"has {100 * self.foreign[number]:.0f} % of its letters outside the Latin alphabet; an English text "
                "encoder may know its words only as [UNK]: choose one for its language and count with t3d reports "
                "--text_encoder NAME"
            )
            yield _remark(cases, number, "unknown letters", what)
        same = set(self.same)
        for pairs, said in ((self.same, "the same"), (near_duplicates(self.signatures), "nearly the same")):
            for number, other in pairs:
                (_, split, patient), (first, place, owner) = cases[number], cases[other]
                if patient == owner or (said != "the same" and (number, other) in same):
                    continue  # two reconstructions of one scan share their report
                where = f"{place}, a leak if the text was copied" if place != split else place
                what = f"has {said} report as case {first} ({where}); look whether one of them got another's text"
                yield _remark(cases, number, f"{said} report", what)
        for number, region in foreign_reports(self.regions):
            what = f"speaks of {region} and hardly of what the other reports do; look whether it belongs here"
            yield _remark(cases, number, "body part", what)

    def table(self) -> dict[str, Any]:
        """Counts for the summary."""
        known = self.tokens[self.tokens > 0]
        told = self.regions[self.tokens > 0] >= 2
        return {
            "reports": int(known.size),
            "without": len(self.empty),
            "tokens_estimated": {
                "median": int(np.median(known)) if known.size else None,
                "longest": int(known.max()) if known.size else None,
                "above_max_tokens": int((known > self.max_tokens).sum()),
                "max_tokens": self.max_tokens,
            },
            "same_as_an_earlier_one": len(self.same),
            "in_another_alphabet": int((self.foreign >= MUCH).sum()),
            "body_parts": {name: int(n) for name, n in zip(REGIONS, told.sum(axis=0), strict=True) if n},
        }


def token_estimate(text: str) -> int:
    """About how many tokens a text encoder's BERT vocabulary makes of a text; 10 % off for most reports."""
    pieces = sum(1 + (len(piece) > 9) for piece in re.findall(r"\w+|[^\w\s]", text))
    return math.ceil(TOKENS_PER_PIECE * pieces) + 2


def _remark(cases: list[tuple[str, str, str]], number: int, kind: str, what: str, *, fault: bool = False) -> Remark:
    return Remark(kind, what, cases[number][0], cases[number][1], fault)
