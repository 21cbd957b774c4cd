"""Line breaks and signs that an export wrote as text: Excel's _x000D_, backslash n, HTML, HL7."""

import html
import re

_EXCEL = re.compile(r"_x([0-9A-Fa-f]{4})_")
_HL7_BREAK = re.compile(r"\\(?:\.(?:br|sp|ce|in)[+-]?\d*|X0[DdAa](?:0[DdAa])?)\\")
_BREAK_AS_TEXT = re.compile(r"\\{1,4}r\\{1,4}n|\\{1,4}n|\\{1,4}r(?![a-z])")
# One of these shows that the export escapes its line breaks; "left\right" and "artery\nerve" alone do not.
_SURELY_A_BREAK = re.compile(r"\\r\\{1,4}n|\\[rn](?![a-z])")
_TAB_AS_TEXT = re.compile(r"\\{1,4}t(?![a-z])")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_NO_TEXT = re.compile(
    r"<!--.{0,5000}?-->|<!\[CDATA\[|\]\]>"
    r"|<(style|script|title)\b[^<>]{0,300}>.{0,20000}?</\1\s*>|<[!?][^<>]{0,300}>",
    re.I | re.S,
)
_LINE_TAG = re.compile(r"<br(?:\s[^<>]{0,300})?/?>(?:[ \t]*\r?\n)?|</(?:div|tr|ul|ol|dl|dd|dt|table|pre)\s*>", re.I)
_PARAGRAPH_TAG = re.compile(r"</?(?:p|h[1-6]|section|article|blockquote|hr)(?:\s[^<>]{0,300})?/?>", re.I)
_ITEM_TAG = re.compile(r"<li(?:\s[^<>]{0,300})?>[ \t]*", re.I)
_BOLD_TAG = re.compile(r"</?(?:b|strong|u)(?:\s[^<>]{0,300})?>", re.I)
_CELL_TAG = re.compile(r"</?(?:td|th|div|tr|ul|ol|dl|dd|dt|table|pre|li)(?:\s[^<>]{0,300})?/?>", re.I)
_INLINE_TAG = re.compile(
    r"</?(?:span|i|em|font|sup|sub|a|small|big|mark|code|tt|center|body|html|head|meta|link|img|thead|tbody|"
    r"tfoot|col|colgroup|caption|o:p|s|wbr|nobr|label|main)(?:\s[^<>]{0,300})?/?>",
    re.I,
)
_ROUNDS = 3  # text that was escaped again by each program on its way


def without_markup(text: str) -> str:
    """Turn line breaks that stand as text into line breaks, entities into their signs, and drop HTML tags.

    Only tags of HTML are dropped, so "<5 mm and >3 mm" stays. Bold becomes ``**bold**``, since a heading may have no
    other sign than this.

    Args:
        text: a report as it was exported.
    """
    text = _EXCEL.sub(lambda match: chr(int(match[1], 16)), text)
    if "\\" in text:
        text = _HL7_BREAK.sub("\n", text).replace("\\T\\", "&")
        if _SURELY_A_BREAK.search(text):
            text = _TAB_AS_TEXT.sub(" ", _BREAK_AS_TEXT.sub("\n", text))
    for _ in range(_ROUNDS):
        before = text
        if "<" in text:
            text = _without_tags(text)
        if "&" in text:
            text = _ENTITY.sub(lambda match: html.unescape(match[0]), text)
        if text == before:
            break
    return text


def _without_tags(text: str) -> str:
    text = _NO_TEXT.sub("", text)
    for pattern, sign in (
        (_LINE_TAG, "\n"),
        (_PARAGRAPH_TAG, "\n\n"),
        (_ITEM_TAG, "\n- "),
        (_BOLD_TAG, "**"),
        (_CELL_TAG, " "),
        (_INLINE_TAG, ""),
    ):
        text = pattern.sub(sign, text)
    return text
