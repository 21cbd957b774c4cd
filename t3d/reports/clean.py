"""White space, control characters and exported line breaks of a report, mended without losing a word."""

import re
import unicodedata


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
    text = re.sub(r"(?<=[A-Z]) *,+ *:", ":", text)
    text = re.sub(r": *,+(?=[\s\w(])", ": ", text)
    text = re.sub(r"(?<=[\n,:. ])(\d{1,2}[.)]) *,+ *", r"\1 ", text)
    text = re.sub(r"(?<=[.!?])(?:,+| +,[ ,]*)(?=[A-Z0-9(\"])", "\n", text)
    text = re.sub(r"(?<=[A-Za-z0-9%)\"]),(?: ?,)*(?=[A-Z][A-Za-z /()]{0,40}:)", "\n", text)
    text = re.sub(r",{2,}", ",", text)
    text = re.sub(r"(?<=[a-z)])\.(?=[A-Z][a-z])", ". ", text)
    text = re.sub(r" *\n *", "\n", re.sub(r" +", " ", text))
    text = re.sub(r"\n{3,}", "\n\n", text).strip(" \n,;")
    return text if re.search(r"\w", text) else ""
