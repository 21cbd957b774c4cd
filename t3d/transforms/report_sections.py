"""Free report text: clean it, choose its sections, split it into sentences, without losing a word."""

import re
import unicodedata
from collections.abc import Sequence

from t3d.errors import T3DError

SECTIONS = ("findings", "impression")

# Headers that open a section of their own; any other "Label:" stays in the text of its section. Collected by
# hand from public sample reports and common reporting templates (ours).
_FINDINGS = ("findings?", "technique and findings?", "procedure and findings?", "observations?")
_IMPRESSION = (
    "impressions?",
    "conclusions?",
    "opinion",
    r"impressions? ?(?:and|/|&) ?(?:plan|recommendations?|conclusions?)",
)
_BOTH = (r"findings? ?(?:and|/|&) ?impressions?", "interpretation")
_BACKGROUND = (
    "exam(?:ination)?",
    "(?:type of )?(?:study|test|exam)",
    "procedures?(?: done| performed| in detail)?",
    "(?:description|summary) of procedure",
    "(?:imaging )?techniques?",
    "protocol",
    "contrast",
    "comparisons?(?: exam| examination| study)?",
    "prior (?:study|exam)",
    "[a-z /]{0,30}(?:history|hx|information|data)",
    "(?:clinical |pertinent |brief )?indications?(?: for (?:the )?(?:exam|examination|study|procedure))?",
    "reason for (?:exam|examination|study|procedure|visit)",
    "clinical",
    "(?:preoperative|postoperative|admitting) diagnos[ie]s",
    "medications?|meds|allergies|anesthesia|complications|estimated blood loss|fluoro(?:scopy)? time",
)
_KINDS = (
    ("both", _BOTH),
    ("findings", _FINDINGS),
    ("impression", _IMPRESSION),
    ("background", _BACKGROUND),
)
# A header stands at the start of the text, of a line or of a sentence and ends with a colon, or fills its
# line. A "label" is any other one in capitals ("CT ABDOMEN:", "DISCUSSION:"): it can only end a background
# section.
_HEADER = re.compile(
    r"(?:^|(?<=\n)|(?<=[.!?;:,] ))(?:(?:"
    + "|".join(f"(?P<{kind}>(?i:{'|'.join(names)}))" for kind, names in _KINDS)
    + r")[ \t]*(?::|(?=\n)|\Z)|(?P<label>[A-Z][A-Z0-9 ,/&()-]{2,40}:))"
)

_ABBREVIATIONS = frozenset(
    "dr mr mrs ms prof st vs approx e.g i.e eg ie cf al no nos fig figs ca est resp incl dept sq".split()
)
_SENTENCE_END = re.compile(r"[.!?]+[\"')\]]*\s+(?=[\"'(\[]?[A-Z0-9])")
_NEW_LINE_OPENS_SENTENCE = re.compile(r"\n\s*\n|\n(?=\s*(?:\d{1,2}[.)]\s|[-*•]\s|[A-Z][\w /()-]{0,40}:))")


def clean_report(text: str) -> str:
    """Mend white space, control characters and line breaks that an export turned into commas.

    Words, numbers and their order stay. A line break stays one line break and an empty line one empty line,
    since both can end a sentence. The comma rules undo exports that wrote commas for line breaks, as in the
    public mtsamples reports ("FINDINGS:  ,The liver is normal.,The spleen ..").

    Args:
        text: a report as it was exported.

    Returns:
        the cleaned text; "" if nothing but white space and punctuation was there.
    """
    text = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n")
    # "Cf" holds zero-width characters and soft hyphens, which sit inside words: they vanish, not become
    # spaces.
    text = "".join("" if unicodedata.category(c) == "Cf" else c for c in text)
    text = "".join(" " if c != "\n" and unicodedata.category(c) in ("Cc", "Zs") else c for c in text)
    text = re.sub(r": *,+(?=[\s\w(])", ": ", text)
    text = re.sub(r"(?<=[\n,:. ])(\d{1,2}[.)]) *,+ *", r"\1 ", text)
    text = re.sub(r"(?<=[.!?])(?:,+| +,[ ,]*)(?=[A-Z0-9(\"])", "\n", text)
    text = re.sub(r"(?<=[A-Za-z%)]),+(?=[A-Z][A-Za-z /()]{0,40}:)", "\n", text)
    text = re.sub(r",{2,}", ",", text)
    text = re.sub(r"(?<=[a-z)])\.(?=[A-Z][a-z])", ". ", text)
    text = re.sub(r" *\n *", "\n", re.sub(r" +", " ", text))
    text = re.sub(r"\n{3,}", "\n\n", text).strip(" \n,;")
    return text if re.search(r"\w", text) else ""


def select_sections(text: str, sections: Sequence[str] = SECTIONS) -> str:
    """Keep the wanted sections of a free-text report, in the report's order, without their headers.

    Headers (FINDINGS, IMPRESSION, CONCLUSION, TECHNIQUE, ..) are found in any case; "FINDINGS AND IMPRESSION"
    and "INTERPRETATION" count as both. Other labels ("LIVER:") belong to the section they stand in. If a
    report has an impression but no findings header, what stands before its first header (unless a mere title)
    or under a label in capitals after a background section ("CT ABDOMEN: ..") counts as findings. A report
    with neither header, or without text in a wanted section, is used whole: no report is lost.

    Args:
        text: a cleaned report (``clean_report``).
        sections: names out of ``findings`` and ``impression``.

    Returns:
        the text of those sections, separated by an empty line.

    Raises:
        T3DError: an unknown or no section name.
    """
    wanted = {str(name).lower() for name in ([sections] if isinstance(sections, str) else sections)}
    if not wanted or not wanted <= set(SECTIONS):
        raise T3DError(f"sections {sections!r} is not known; choose from {', '.join(SECTIONS)}, one or both")
    parts = _parts(text)
    named = {kind for kind, body in parts if body}
    if not named & {*SECTIONS, "both"}:
        return text
    if "findings" in wanted and not named & {"findings", "both"}:
        wanted.add("label")
    kept = [body for kind, body in parts if body and (kind in wanted or kind == "both")]
    return "\n\n".join(kept) or text


def _parts(text: str) -> list[tuple[str, str]]:
    """The report as (kind of section, its text); the text is "" where only punctuation or a title stands."""
    starts = [("label", 0, 0)]  # kind, start of the header, start of the text under it
    for header in _HEADER.finditer(text):
        kind, inside, name = header.lastgroup, starts[-1][0], header.group().strip()
        if not (name.endswith(":") or name.isupper() or name.istitle()):
            continue  # a line of wrapped prose that happens to read "no relevant history"
        line_start = header.start() == 0 or text[header.start() - 1] == "\n"
        if kind == "label":
            if inside == "background":
                starts.append((kind, header.start(), header.start()))
        # "COMPARISON: None." within a line of findings: what follows it is findings again, so it stays there.
        elif kind != "background" or line_start or inside in ("background", "label"):
            starts.append((kind, header.start(), header.end()))
    ends = [start for _, start, _ in starts[1:]] + [len(text)]
    parts = []
    for (kind, _, begin), end in zip(starts, ends, strict=True):
        body = text[begin:end].strip(" \n,;")
        has_text = re.search(r"[.!?]" if kind == "label" else r"\w", body)
        parts.append((kind, body if has_text else ""))
    return parts


def split_sentences(text: str) -> list[str]:
    """Split report text into sentences; ``" ".join`` of them holds every word in order.

    A sentence ends at ``. ! ?`` before a capital or a number, at an empty line, and before a list item or
    "Label:" on a new line. Decimals (1.2 cm), "e.g.", "Dr.", initials and list numbers ("1. Patent airway.")
    do not end it.

    Args:
        text: a cleaned report (``clean_report``), or a section of it.

    Returns:
        sentences with single spaces and no line breaks; [] for an empty text.
    """
    sentences = []
    for block in _NEW_LINE_OPENS_SENTENCE.split(text):
        start = 0
        for end in _SENTENCE_END.finditer(block):
            if not _is_inner_stop(block[start : end.start()]):
                sentences.append(block[start : end.end()])
                start = end.end()
        sentences.append(block[start:])
    sentences = [" ".join(sentence.split()) for sentence in sentences]
    return [sentence for sentence in sentences if sentence]


def _is_inner_stop(before: str) -> bool:
    """Whether the stop after ``before`` belongs to an abbreviation, an initial or a list number."""
    words = before.split()
    if not words:
        return True
    last = words[-1].lstrip("(\"'[")
    if last.isdigit() and len(last) <= 2 and (len(words) == 1 or words[-2].endswith(":")):
        return True
    initial = len(last) == 1 and last.isupper() and last != "I"  # "Grade I." ends a sentence
    return last.lower() in _ABBREVIATIONS or initial
