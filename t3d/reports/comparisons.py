"""Sentences that compare with an earlier study: a network that sees one scan cannot check them."""

import re
from collections.abc import Sequence

_STUDY = (
    r"(?:stud(?:y|ies)|exam(?:ination)?s?|scans?|ct|cta|mri?|mra|pet|radiographs?|films?|x-?rays?|chest|imaging|"
    r"ultrasounds?|sonograms?|reports?|images?|angiograms?|mammograms?|visits?|dates?)"
)
# Ours. "New" alone stays: a new fracture may be seen without the old scan.
_COMPARES = re.compile(
    r"\bcompar(?:ed?|ison|isons|ing) (?:is |was )?(?:made )?(?:to|with)\b"
    r"(?! (?:the )?(?:\w+ )?(?:left|right|other|contralateral|opposite|resting|rest|stress|normal|adjacent)\b)"
    r"|\b(?:for|in|no|available) comparisons?\b|\bcomparison (?:stud|exam)\w+"
    rf"|\b(?:prior|previous|earlier|preceding|outside|most recent) (?:\w+[ -]){{0,4}}{_STUDY}\b"
    r"|\bmost recent priors?\b"
    rf"|\bsince (?:the )?(?:last|prior|previous|earlier|{_STUDY})\b"
    r"|\b(?:previously|again) (?:seen|noted|described|identified|demonstrated|visuali[sz]ed|reported|shown|observed)\b"
    r"|\bagain (?:is|are) (?:seen|noted)\b|\bredemonstrat\w+"
    r"|\bno longer (?:seen|present|visible|visuali[sz]ed|identified)\b"
    r"|\bunchanged\b|\bnot (?:significantly |appreciably )?changed\b|\bno (?:\w+ )?interval\b"
    r"|\bno (?:significant |definite |appreciable )*changes? (?:from|since|compared)\b"
    r"|\bremains? (?:stable|unchanged|the same)\b"
    r"|\binterval (?:\w+ ){0,2}(?:change|increase|decrease|development|growth|resolution|improvement|progression|"
    r"enlargement|reduction|placement|removal|worsening)s?\b"
    r"|\b(?:has|have) (?:\w+ )?(?:increased|decreased|enlarged|grown|resolved|improved|worsened|progressed|regressed)"
    r"(?= (?:in|since|from|when)\b|[ ]*[.,;]|\Z)"
    r"|\b(?:increased|decreased|larger|smaller|improved|worsened|progressed) (?:\w+ ){0,4}(?:than|since|from) "
    rf"(?:the )?(?:last|prior|previous|before|{_STUDY})\b",
    re.IGNORECASE,
)
_STABLE = re.compile(r"\bstable\b", re.IGNORECASE)
# here the patient is stable, or a bone, and not a finding since the last scan
_NOT_OVER_TIME = re.compile(r"\b(?:patient|vitals?|condition|oximetry|ha?emodynamic\w*|mechanically)\b", re.IGNORECASE)


def compares(sentence: str) -> bool:
    """Whether a sentence compares with an earlier study ("unchanged since the prior CT"); rules, so never perfect."""
    if _COMPARES.search(sentence):
        return True
    return _STABLE.search(sentence) is not None and not _NOT_OVER_TIME.search(sentence)


def drop_comparisons(sentences: Sequence[str]) -> list[str]:
    """The sentences that do not compare with an earlier study; all of them where none would be left.

    The whole sentence goes: "Stable 5 mm nodule, unchanged since 2019" takes its nodule with it. That is why it is an
    option and off by default.
    """
    kept = [sentence for sentence in sentences if not compares(sentence)]
    return kept or list(sentences)
