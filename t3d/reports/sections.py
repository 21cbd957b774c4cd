"""The sections of a free-text report: findings, impression, technique, comparison, history and exam."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from t3d.errors import T3DError
from t3d.reports.headings import find_headings, is_clinic_note
from t3d.reports.letters import LOWER, WIDE_STOPS

SECTIONS = ("findings", "impression")
SECTION_NAMES = ("exam", "history", "technique", "comparison", "findings", "impression")

_TOLD = ("findings", "impression", "both")  # kinds that say a result under a heading of that name
_RESULT_KINDS = (*_TOLD, "results")
# The first line of a report, or its beginning in capitals where an export lost the line break.
# Prose that is wrapped is no title: the line is in capitals, or an empty line or a heading follows.
_TITLE_LINE = re.compile(rf"[^\n.!?{WIDE_STOPS}{LOWER}]{{2,200}}(?=\n)|[^\n.!?{WIDE_STOPS}]{{2,200}}(?=\n\n|\n?\Z)")
_STOP = re.compile(rf"[.!?{WIDE_STOPS}]")
_TITLE_CAPITALS = re.compile(r"[A-Z][A-Z0-9 ,/&()-]{6,160}(?=, ?[A-Z][a-z])")


class Section(NamedTuple):
    """A part of a report.

    Attributes:
        names: what it is, out of ``SECTION_NAMES``; two for "FINDINGS AND IMPRESSION", none for other parts.
        start, end: characters [start, end) of the cleaned text, without the heading (except a heading that names
            no section, such as "CT ABDOMEN:", which is part of the text).
        kind: the kind of heading that opened it, see ``t3d.reports.headings``; "lead" before the first one and
            "title" for a title.
    """

    names: tuple[str, ...]
    start: int
    end: int
    kind: str


def parse_sections(text: str) -> list[Section]:
    """Find the sections of a cleaned report, in its order; parts without words are left out.

    Headings (FINDINGS, IMPRESSION, CONCLUSION, TECHNIQUE, REASON FOR EXAM ..; Befund, Hallazgos, 所见 ..) are found in
    any case. "Report:" is findings where no heading of that name is there, an addendum is both. Other labels
    ("LIVER:") belong to the section they stand in, and open findings after history, technique and the like
    ("NEEDLE EMG:") where the report has an impression but no findings heading. A title line is the exam. What the
    report says before its first heading counts as findings under the same condition. In a clinic note (CC, HX) only
    named headings count, and EXAM is a physical examination: no section. Recommendations, plan and summary belong to
    the impression once results were told. A text without headings has no sections: it stays one part without names.

    Args:
        text: a cleaned report (``t3d.reports.clean.clean_report``).
    """
    note = is_clinic_note(text)
    parts = [(kind, *_trimmed(text, begin, end)) for kind, begin, end in _parts(text, note)]
    parts = [part for part in parts if _has_text(text[part[1] : part[2]], part[0])]
    kinds = {kind for kind, _, _ in parts}
    # results under no heading of that name are findings only if the report shows by its impression that it has some
    implied = not note and "impression" in kinds and not kinds & {"findings", "both"}
    names = {
        "both": ("findings",) if "impression" in kinds else ("findings", "impression"),
        "lead": ("findings",) if implied else (),
        "label": ("findings",) if implied else (),
        "results": ("findings",) if not note and kinds & {"impression", "findings", "both"} else (),
        "title": ("exam",),
        "exam": () if note else ("exam",),
        # it was told after all else, wherever it stands
        "addendum": ("findings", "impression"),
        "report": (),
        "other": (),
    }
    return [Section(names.get(kind, (kind,)), begin, end, kind) for kind, begin, end in parts]


def select_sections(text: str, sections: Sequence[str] = SECTIONS) -> str:
    """Keep the wanted sections of a free-text report, in the report's order, without their headers.

    "FINDINGS AND IMPRESSION" and "INTERPRETATION" (of a report without an impression) count as both. If a report has
    an impression but no findings header, what stands before its first header (unless a mere title) or under a label
    in capitals after a background section ("CT ABDOMEN: ..") counts as findings. A report with neither header, or
    without text in a wanted section, is used whole: no report is lost. See ``parse_sections``.

    Args:
        text: a cleaned report (``clean_report``).
        sections: names out of ``findings`` and ``impression``: what was seen. History, technique and comparison
            would let a network answer from the request for the scan.

    Returns:
        the text of those sections, separated by an empty line.

    Raises:
        T3DError: an unknown or no section name.
    """
    return "\n\n".join(text[part.start : part.end] for part in wanted_parts(text, sections)) or text


def wanted_parts(text: str, sections: Sequence[str] = SECTIONS) -> list[Section]:
    """The parts of a report that ``select_sections`` joins; none where it uses the report whole.

    Args:
        text, sections: see ``select_sections``.

    Raises:
        T3DError: an unknown or no section name.
    """
    wanted = {str(name).lower() for name in ([sections] if isinstance(sections, str) else sections)}
    if not wanted or not wanted <= set(SECTIONS):
        raise T3DError(f"sections {sections!r} is not known; choose from {', '.join(SECTIONS)}, one or both")
    parts = parse_sections(text)
    kinds = {part.kind for part in parts}
    if not kinds & set(_TOLD):
        return []
    # in a clinic note these parts have no name, but its account of the scans stands there
    unnamed = "findings" in wanted and not kinds & {"findings", "both"}
    return [p for p in parts if wanted & set(p.names) or (unnamed and p.kind in ("lead", "label"))]


def _parts(text: str, note: bool) -> list[tuple[str, int, int]]:
    """(kind, start, end) of every stretch of text between two headings that count."""
    starts = [("lead", 0, 0)]  # kind, start of the heading, start of the text under it
    told = False  # whether results were told before
    headings = list(find_headings(text))
    named = {heading.kind for heading in headings} & {"findings", "both"}
    for heading in headings:
        kind, inside = heading.kind, starts[-1][0]
        if kind == "report":  # "Report: .." tells the findings where nothing else does
            if inside in _RESULT_KINDS:
                continue
            kind = kind if named or note else "findings"
        in_results = inside in _RESULT_KINDS
        if kind == "closing":
            kind = "impression" if told else "label"
        elif kind == "discussion":
            kind = "label" if inside == "impression" else "results"
        if kind == "label":
            # inside results, or another label, it is a sub-heading
            # in a clinic note EXAM, LAB and COURSE stand side by side
            told_here = in_results or inside == "label" or (inside == "lead" and not _is_title(text, heading.start))
            if told_here and not note:
                continue
            starts.append((kind, heading.start, heading.start))
        elif kind == "results":
            if (heading.opens_line or not in_results) and inside not in ("findings", "both"):
                starts.append((kind, heading.start, heading.start))
        # "COMPARISON: None." within a line of findings: what follows it is findings again, so it stays there.
        elif kind in _TOLD or heading.opens_line or not in_results:
            if kind == "procedure":
                kind = "technique" if _is_account(text[heading.end :]) else "exam"
            starts.append((kind, heading.start, heading.end))
        told = told or kind in _RESULT_KINDS
    ends = [start for _, start, _ in starts[1:]] + [len(text)]
    parts = [(kind, begin, end) for (kind, _, begin), end in zip(starts, ends, strict=True)]
    return _title(text, parts[0][2]) + parts[1:] if parts[0][2] else parts[1:]


def _title(text: str, end: int) -> list[tuple[str, int, int]]:
    """The lead [0, end) as title and the rest of it."""
    title = _TITLE_CAPITALS.match(text) or _TITLE_LINE.match(text[:end])
    # a report of one line, without a heading, is a text and no title
    if title is None or (title.end() == len(text)):
        return [("lead", 0, end)]
    return [("title", 0, title.end()), ("lead", title.end(), end)]


def _is_title(text: str, end: int) -> bool:
    return not _STOP.search(text[:end])


def _is_account(after: str) -> bool:
    """Whether the text under PROCEDURE tells what was done, rather than naming it."""
    body = re.split(r"\n(?=[A-Z][A-Za-z ]{2,40}:)", after, maxsplit=1)[0]
    return bool(re.search(r"\b(?:was|were)\b", body)) or len(body.split()) > 25


def _trimmed(text: str, begin: int, end: int) -> tuple[int, int]:
    body = text[begin:end]
    begin += len(body) - len(body.lstrip(" \n,;"))
    return begin, begin + len(body.strip(" \n,;"))


def _has_text(body: str, kind: str) -> bool:
    # a lead or a label without a sentence is a title or an empty heading
    return (_STOP.search(body) if kind in ("lead", "label") else re.search(r"\w", body)) is not None
