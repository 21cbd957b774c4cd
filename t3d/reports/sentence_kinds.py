"""What kind of statement a sentence of a report is, in fixed words that hold nothing of its text."""

import re
from collections.abc import Sequence

import numpy as np

from t3d.reports.findings_in_text import FINDING_WORDS, findings_in

CLAIMS = ("present", "absent", "normal", "uncertain")
ROUTINE = "routine"
KINDS = (*CLAIMS, ROUTINE)
"""Kinds that every cohort may have; a sentence makes one claim and may be routine besides."""
NAMES = (*KINDS, *FINDING_WORDS)
"""All that is told of a sentence, in the order of ``kind_flags``: kinds, then the findings that it names."""
_ROUTINE_BIT = 1 << KINDS.index(ROUTINE)

# Ours, for English. "Likely" is left out: in "consolidation, likely pneumonia" the finding itself is there.
_UNCERTAIN = re.compile(
    r"\b(?:possibl[ey]|probabl[ey]|suspect\w*|suspicio\w+|may|might|could|questionabl[ey]|equivocal|cannot (?:be )?"
    r"exclude\w*|can ?not rule|(?:not|hard to be) (?:excluded|ruled out)|rule out|versus|concern(?:ing)? for)\b|\?",
    re.IGNORECASE,
)
_NORMAL = re.compile(
    r"\b(?:normal(?!\s+variant)|unremarkable|clear|within (?:normal|physiological) limits|preserved|patent|intact)\b"
    r"|\bno (?:\w+[ ,]+){0,5}?(?:abnormalit(?:y|ies)|disease|patholog(?:y|ies|ical \w+))\b"
    r"|\bnegative (?:stud|exam|ct|chest)\w*",
    re.IGNORECASE,
)
# "no" opens the statement, or its verb is denied; "a nodule without calcification" states the nodule
_ABSENT = re.compile(
    r"^\W*(?:(?:there|it) (?:is|are|was|were) |(?:the )?[\w ]{0,40}\b(?:shows?|demonstrates?|ha(?:s|ve)|with) )?"
    r"(?:no|without|neither|negative for|absence of)\b"
    r"|\b(?:is|are|was|were|has|have|do|does|did|been) (?:not|no longer|absent|free of|free from|without|negative)\b"
    r"|\bnot (?:\w+ )?(?:seen|identified|present|observed|detected|demonstrated|visuali[sz]ed|enlarged|dilated)\b"
    r"|\b(?:absent|resolved|free of|ruled out)\b",
    re.IGNORECASE,
)
# Words of English alone: "no", "in" and "normal" are words of its neighbours, too.
_ENGLISH = re.compile(
    r"\b(?:the|of|is|are|and|with|without|there|right|left|lobes?|lungs?|heart|liver|spleen|acute|effusions?|nodules?|"
    r"seen|evidence)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_]{2,}")
# of a report's words: English ones of the list are a quarter to a half, another language's a few by chance
_LEAST_ENGLISH = 0.1


def kind_flags(sentences: Sequence[str]) -> np.ndarray:
    """What each sentence of one report is, (R,) int64: bit k stands for ``NAMES[k]``.

    Claim and findings are told by rules for English, which are never perfect; a report in another language gets
    none, rather than wrong ones. Whether a sentence is routine is known only to the cohort (``with_routine``).
    """
    text = " ".join(sentences)
    words = len(_WORD.findall(text))
    if not words or len(_ENGLISH.findall(text)) < _LEAST_ENGLISH * words:
        return np.zeros(len(sentences), dtype=np.int64)
    flags = [_flags({claim(sentence), *findings_in(sentence)}) for sentence in sentences]
    return np.array(flags, dtype=np.int64)


def claim(sentence: str) -> str:
    """Which of ``CLAIMS`` an English sentence makes."""
    if _UNCERTAIN.search(sentence):
        return "uncertain"
    if _NORMAL.search(sentence):
        return "normal"
    return "absent" if _ABSENT.search(sentence) else "present"


def with_routine(flags: np.ndarray, routine: np.ndarray) -> np.ndarray:
    """The flags (R,) with that of the routine where ``routine`` (R,) bool says so."""
    return flags | np.where(routine, _ROUTINE_BIT, 0)


def _flags(names: set[str]) -> int:
    return sum(1 << NAMES.index(name) for name in names)
