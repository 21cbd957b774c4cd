"""The headings of radiology reports, and which section each of them opens."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from t3d.reports.heading_names import KINDS
from t3d.reports.letters import UPPER, WIDE_STOPS

# A header stands at the start of the text, of a line or of a sentence and ends with a colon, or fills its line. A
# "label" is any other one in capitals ("CT ABDOMEN:", "NEEDLE EMG:"), or a part of the body at the start of a line
# ("Thorax:").
_BODY_PART = (
    r"(?:(?:CT|MRI?|PET|Chest|Thorax|Abdomen|Pelvis|Lungs?|Liver|Heart|Mediastinum|Neck|Head|Brain)"
    r"\b[\w ,/&()-]{0,40}:)"
)
_HEADER = re.compile(
    rf"(?:^|(?<=\n)|(?<=[.!?;:,] )|(?<=[{WIDE_STOPS}]))(?:"
    r"(?P<number>(?:(?<=\n)|^)(?:\d{1,2}|[IVX]{1,4})[.)][ \t]*)?(?:"
    + "|".join(f"(?P<{kind}>(?i:{'|'.join(names)}))" for kind, names in KINDS.items())
    + r")[ \t]*(?:[:\uff1a]|(?=\n)|\Z)"
    rf"|(?P<label>[{UPPER}][{UPPER}0-9 ,/&()-]{{2,40}}[:\uff1a]|(?:(?<=\n)|^){_BODY_PART}))"
)
_TOLD = ("both", "findings", "report", "impression")
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
    """The headings of a cleaned report, in order; kinds are those of ``heading_names``, ``results`` and ``label``.

    ``results`` is a heading in capitals that ends in FINDINGS, RESULTS or INTERPRETATION; ``label`` is any other
    unnamed one in capitals. A number before a heading that begins a line ("2. FINDINGS:") is part of it, where the
    findings or the impression have one; else it is an item of a list ("14. Symptoms: none").
    """
    matches = list(_HEADER.finditer(text))
    outline = any(match["number"] and match.lastgroup in _TOLD for match in matches)
    for match in matches:
        kind, name = str(match.lastgroup), match.group().strip()
        if name[-1] not in ":\uff1a" and not _stands_alone(text, match, name):
            continue  # a line of wrapped prose that happens to read "no relevant history"
        if kind == "label" and _RESULTS.search(name):
            kind = "results"
        start = match.start() if outline else match.start() + len(match["number"] or "")
        opens_line = start == 0 or text[start - 1] == "\n"
        yield Heading(kind, start, match.end(), opens_line)


def _stands_alone(text: str, match: re.Match, name: str) -> bool:
    """Whether a line without a colon is a heading: in capitals, Title Case, or like a sentence after a whole one."""
    if name.isupper() or name.istitle() or name.lower() == name.upper():
        return True
    before = text[: match.start()].rstrip(" ")
    after_whole = not before or before.endswith("\n\n") or before.rstrip()[-1:] in tuple(f".!?:{WIDE_STOPS}")
    return name[0].isupper() and after_whole


def is_clinic_note(text: str) -> bool:
    """Whether the text is a doctor's note about a patient, in which EXAM means a physical examination."""
    return _CLINIC_NOTE.search(text) is not None
