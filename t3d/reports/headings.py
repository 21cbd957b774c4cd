"""The headings of radiology reports, and which section each of them opens."""

import re
from collections.abc import Iterator
from typing import NamedTuple

_EXAM = r"exam|examination|stud(?:y|ies)|test"

# Collected by hand from public sample reports and common reporting templates (ours). Any other "Label:" stays in the
# text of its section. The order decides between patterns that both match.
_KINDS = {
    "both": (r"findings? ?(?:and|/|&) ?impressions?", r"interpretations?(?: of images)?"),
    "findings": (
        r"findings?",
        r"(?:technique|procedure) and (?:findings?|interpretation)",
        r"observations?",
        r"studies",
    ),
    "impression": (
        r"(?:final |overall |clinical )?impressions?",
        r"conclusions?",
        r"opinion",
        r"impressions? ?(?:and|/|&) ?(?:plan|recommendations?|conclusions?)",
    ),
    # these close a report that has said something; alone they are the end of a letter
    "closing": (r"(?:in )?summary", r"recommendations?", r"plan", r"assessment", r"[a-z]+graphic diagnos[ie]s"),
    "discussion": (r"discussion",),
    "exam": (rf"(?:type of )?(?:{_EXAM})", r"(?:name of operation|operation performed)"),
    "procedure": (r"procedures?(?: done| performed)?",),
    "technique": (
        r"(?:imaging |image |stress )?techniques?(?: of procedure)?",
        r"technical quality",
        r"(?:nuclear |imaging |stress )?protocol",
        r"contrast",
        r"(?:description|summary|details) of procedure",
        r"procedures? in detail",
    ),
    "comparison": (rf"comparisons?(?: (?:{_EXAM}))?", r"correlation", r"prior (?:study|exam)"),
    "history": (
        r"[a-z /]{0,30}(?:history(?: of present illness)?|hx)",
        r"(?:pmh|hpi)(?:/[a-z/]{2,12})?",
        r"cc|chief complaint|symptoms?",
        r"(?:clinical|patient|relevant)(?: (?:information|data))?",
        rf"(?:clinical |pertinent |brief )?indications?(?: for (?:the )?(?:{_EXAM}|procedure))?",
        r"reason for (?:the )?[a-z ]{3,20}",
        r"(?:preoperative|admitting|referring) diagnos[ie]s",
    ),
    "other": (
        r"postoperative diagnos[ie]s",
        r"medications?|meds|pertinent medications?|allergies|anesthesia|complications|estimated blood loss",
        r"fluoro(?:scopy)? time",
        r"objective|physical exam(?:ination)?|vital signs",
        r"[a-z /]{0,30}information",
    ),
}
# A header stands at the start of the text, of a line or of a sentence and ends with a colon, or fills its line. A
# "label" is any other one in capitals ("CT ABDOMEN:", "NEEDLE EMG:").
_HEADER = re.compile(
    r"(?:^|(?<=\n)|(?<=[.!?;:,] ))(?:(?:"
    + "|".join(f"(?P<{kind}>(?i:{'|'.join(names)}))" for kind, names in _KINDS.items())
    + r")[ \t]*(?::|(?=\n)|\Z)|(?P<label>[A-Z][A-Z0-9 ,/&()-]{2,40}:))"
)
_RESULTS = re.compile(r"(?:FINDINGS|RESULTS?|INTERPRETATIONS?):\Z")
# What a neurologist's or surgeon's note begins with and a radiology report does not.
_CLINIC_NOTE = re.compile(r"(?:^|\n)(?i:cc|hx|chief complaint|history of present illness) ?:")


class Heading(NamedTuple):
    """A heading: its kind, the characters [start, end) it fills, and whether it begins a line."""

    kind: str
    start: int
    end: int
    opens_line: bool


def find_headings(text: str) -> Iterator[Heading]:
    """The headings of a cleaned report, in order; kinds are those above, ``results`` and ``label``.

    ``results`` is a heading in capitals that ends in FINDINGS, RESULTS or INTERPRETATION; ``label`` is any other
    unnamed one in capitals.
    """
    for match in _HEADER.finditer(text):
        kind, name = str(match.lastgroup), match.group().strip()
        if not (name.endswith(":") or name.isupper() or name.istitle()):
            continue  # a line of wrapped prose that happens to read "no relevant history"
        if kind == "label" and _RESULTS.search(name):
            kind = "results"
        opens_line = match.start() == 0 or text[match.start() - 1] == "\n"
        yield Heading(kind, match.start(), match.end(), opens_line)


def is_clinic_note(text: str) -> bool:
    """Whether the text is a doctor's note about a patient, in which EXAM means a physical examination."""
    return _CLINIC_NOTE.search(text) is not None
