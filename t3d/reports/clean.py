"""White space, control characters and exported line breaks of a report, mended without losing a word."""

import re
import unicodedata
from typing import Any

from t3d.data.report_format import report_format_fault
from t3d.errors import T3DError
from t3d.reports.layout import with_heading_lines
from t3d.reports.letters import LOWER, UPPER
from t3d.reports.markup import without_markup

_LINE_BREAKS = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
_NO_SPACE_AFTER_STOP = re.compile(rf"(?<=[{LOWER})])\.(?=[{UPPER}][{LOWER}])")


def clean_report(text: str) -> str:
    """Mend white space, control characters, and line breaks that an export wrote as text, as commas or not at all.

    Words, numbers and their order stay. A line break stays one line break and an empty line one empty line,
    since both can end a sentence. HTML, entities and escaped line breaks become what they stand for
    (``t3d.reports.markup``), headings get lines of their own (``t3d.reports.layout``). The comma rules undo exports
    that wrote commas for line breaks, as in the public mtsamples reports ("FINDINGS:  ,The liver is normal.,The
    spleen ..").

    Args:
        text: a report as it was exported.

    Returns:
        the cleaned text; "" if nothing but white space and punctuation was there.
    """
    text = _LINE_BREAKS.sub("\n", without_markup(unicodedata.normalize("NFC", text)))
    # "Cf" holds zero-width characters and soft hyphens, which sit inside words: they vanish, not become
    # spaces.
    text = "".join("" if unicodedata.category(c) == "Cf" else c for c in text)
    text = "".join(" " if c != "\n" and unicodedata.category(c) in ("Cc", "Zs") else c for c in text)
    text = re.sub(r"(?<=[A-Z]) *,+ *:", ":", text)
    text = re.sub(r": *,+(?=[\s\w(])", ": ", text)
    text = re.sub(r"(?<=[\n,:. ])(\d{1,2}[.)]) *,+ *", r"\1 ", text)
    text = re.sub(r"(?<=[.!?])(?:,+| +,[ ,]*)(?=[A-Z0-9(\"])", "\n", text)
    text = re.sub(r"(?<=[A-Za-z0-9%)\"]),(?: ?,)*(?=[A-Z][A-Za-z /()]{0,40}:)", "\n", text)
    text = re.sub(r",{2,}", ",", text)
    text = _NO_SPACE_AFTER_STOP.sub(". ", text)
    text = _tidy(text)
    text = _tidy(with_heading_lines(text))
    return text if re.search(r"\w", text) else ""


def _tidy(text: str) -> str:
    text = re.sub(r" *\n *", "\n", re.sub(r" +", " ", text))
    return re.sub(r"\n{3,}", "\n\n", text).strip(" \n,;")


def cleaned(text: Any, case_id: str) -> str:
    """A report without markup and the like, see ``clean_report``.

    Raises:
        T3DError: the report is missing, is no plain text, or is empty.
    """
    remedy = "give it a report, drop the case, or train without text (--use_text False)"
    if not isinstance(text, str):
        raise T3DError(f"case {case_id} has no report text (found {type(text).__name__}); {remedy}")
    fault = report_format_fault(text)
    if fault is not None:
        raise T3DError(f"case {case_id}: report {fault}.")
    clean = clean_report(text)
    if not clean.strip():
        raise T3DError(f"case {case_id} has an empty report ({len(text)} characters, no words); {remedy}")
    return clean
