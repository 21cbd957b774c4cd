"""Reports that are the file of a word processor put into the datalist as it was, and no plain text."""

import re

_RICH_TEXT = re.compile(r"\{\\rtf\d")
# How such files begin, plain or in base64.
_BEGINNINGS = {
    "%PDF-": "a PDF file",
    "JVBERi0": "a PDF file in base64",
    "e1xydG": "rich text (RTF) in base64",
    "UEsDB": "a Word file in base64",
    "PK\x03\x04": "a Word file",
    "0M8R4KGx": "a Word file in base64",
}


def report_format_fault(report: str) -> str | None:
    """What is wrong with the form of a report and the remedy, or None for plain text and HTML.

    The control words of such files would be read as words, and their letters beyond ASCII are numbers there.
    """
    start = report.lstrip("\ufeff \t\r\n")[:8]
    form = "rich text (RTF)" if _RICH_TEXT.search(report) else None
    form = form or next((kind for sign, kind in _BEGINNINGS.items() if start.startswith(sign)), None)
    if form is None:
        return None
    tool = ", for example with striprtf" if "RTF" in form else ""
    return f"is {form}, not plain text; convert it{tool} before it is put into the datalist"
