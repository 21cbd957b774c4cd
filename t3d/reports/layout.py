"""Headings back on lines of their own: those that an export decorated, and those whose line breaks it lost."""

import re

from t3d.reports.heading_names import HAN_NAMES, KINDS, LOOSE, NAMES, any_of
from t3d.reports.letters import HAN, LOWER, OPENING, UPPER

_ANY = rf"(?P<name>(?i:{any_of(KINDS)}))"
_TOLD = ("both", "findings", "report", "impression")
_COLON = r"[:：]"
_LINE = r"(?:(?<=\n)|^)"
_AFTER = r"(?:(?<=\s)|^)"
_ENDS_LINE = r"(?= *(?:\n|\Z))"
_BRACKETS = (
    r"[\[{<【［〔＜〈《「]{1,3}",
    r"[\]}>】］〕＞〉》」]{1,3}",
)
_FENCE = r"[-=*_~+–—]"
# Signs around a name; the name is kept as "NAME:".
_DECORATED = [
    re.compile(pattern)
    for pattern in (
        rf"{_AFTER}(?:#{{1,6}} ?)?{_FENCE}{{1,80}} ?{_ANY} ?{_COLON}? ?{_FENCE}{{1,80}} ?{_COLON}?",
        rf"(?:#{{1,6}} ?)?(?:[*_]{{2}})?{_BRACKETS[0]} ?{_ANY} ?{_COLON}? ?{_BRACKETS[1]}(?:[*_]{{2}})? ?{_COLON}?",
        rf"{_AFTER}#{{1,6}} ?{_ANY}(?: ?#+{_ENDS_LINE}| ?{_COLON}|{_ENDS_LINE}|(?= {OPENING}))",
        rf"{_LINE}(?:{_FENCE}{{2,80}}|[-*•■◆●○□▶▼◎・※>|]) ?{_ANY}"
        rf"(?: ?{_COLON}|{_ENDS_LINE})",
        rf"{_LINE}{_ANY} ?{_COLON}?\n(?:[-=~_] ?){{3,}}{_ENDS_LINE}",
        rf"{_LINE}{_ANY}(?: ?{_FENCE}{{2,80}}(?= |\n|\Z)| [-–—](?= ))",
    )
]
_CLOSING_TAG = re.compile(rf"</ ?(?i:{any_of(KINDS)}) ?>")
_BOLD = re.compile(r"\*\*(?=\S)([^*\n]{1,300}?)(?<=\S)\*\*")
_RULE = re.compile(r"(?m)^ *(?:[-=*_~] ?){3,} *$\n?")

_CORE = rf"{any_of(NAMES)}|reason for (?:the )?(?:\w+ ){{0,2}}\w+?"
# Names that hold one of these are looked for too, so that none is cut in two; but not those that any word begins.
_LONGER = any_of({kind: tuple(name for name in names if name[0] != "[") for kind, names in LOOSE.items()})
# In a report on one line, a known heading.
_FLAT = re.compile(
    rf"(?:(?<!\d[.)])(?<![IVX][.)])(?<=[^\s:]) |^)(?P<number>(?:\d{{1,2}}|[IVX]{{1,4}})[.)] ?)?"
    rf"(?P<name>(?i:{_CORE}|{_LONGER})) ?{_COLON}"
)
_CORE_NAME = re.compile(rf"(?i:{_CORE})")
# But not "results": "STRESS ECG RESULTS: .."
_TELLING = re.compile(rf"(?!(?i:results?|details)\Z)(?i:{any_of({'report': LOOSE['report']})})")
# In one of several lines a heading in capitals that follows a word that is not.
_IN_LINES = any_of({kind: names for kind, names in NAMES.items() if kind != "exam"})  # "Gen EXAM:", "on EXAM:"
_FLAT_CAPITALS = re.compile(rf"(?<=[{LOWER}0-9)%]) (?=(?P<name>(?i:{_IN_LINES})) ?{_COLON})")
_HAN_HEADING = rf"(?:{any_of(HAN_NAMES)}) ?{_COLON}"
_FLAT_HAN = re.compile(rf"(?<=[^\n{HAN}])(?=(?:\d{{1,2}}[.)] ?)?{_HAN_HEADING})")
_TOLD_NAMES = any_of({kind: KINDS[kind] for kind in _TOLD})
_TOLD_COLON = re.compile(rf"(?i:{_TOLD_NAMES}) ?{_COLON}")
_TOLD_NAME = re.compile(rf"(?i:{_TOLD_NAMES})")
_FINDINGS_COLON = re.compile(rf"(?i:{any_of({kind: NAMES[kind] for kind in ('both', 'findings')})}) ?{_COLON}")
# Headings that had lines of their own, without colons: "HISTORY Cough. FINDINGS The lungs are clear."
_BARE = re.compile(rf"(?:^| )(?P<name>(?i:{any_of(NAMES)}))(?= (?:\d|[{UPPER}]?[{LOWER}]))")


def with_heading_lines(text: str) -> str:
    """Put the known headings of a report where a reader finds them: at the start of a line, with a colon.

    Markdown, brackets, dashes and underlines around a known heading go ("## Findings", "[FINDINGS]", "--- FINDINGS
    ---"). Where a report's line breaks were lost, one comes before each known heading that a colon follows. Words and
    numbers stay in their order, and a heading that begins a line is left alone.

    Args:
        text: a report with mended white space.
    """
    text = _CLOSING_TAG.sub("\n", text)
    for pattern in _DECORATED:
        text = pattern.sub(_plain, text)
    text = _BOLD.sub(r"\1", text)
    text = _RULE.sub("", text)
    text = _FLAT_HAN.sub("\n", text)
    if "\n" in text:
        return _FLAT_CAPITALS.sub(lambda match: "\n" if match["name"].isupper() else " ", text)
    return _with_lines(text)


def _plain(match: re.Match) -> str:
    name = match["name"]
    if name[0] != name[0].upper() and not match[0].lstrip().startswith(("#", "[", "<", "{", "**")):
        return match[0]
    return f"\n{name}: "


def _with_lines(text: str) -> str:
    """Cut a report that lost its line breaks."""
    if not _TOLD_COLON.search(text):
        names = [match["name"] for match in _BARE.finditer(text) if match["name"].isupper()]
        if not {"FINDINGS", "FINDING", "IMPRESSION", "CONCLUSION"} & set(names) or len(set(names)) < 2:
            return text
        return _BARE.sub(lambda m: f"\n{m['name']}:" if m["name"].isupper() else m[0], text).lstrip("\n")
    findings = [match.start() for match in _FINDINGS_COLON.finditer(text)]
    last = findings[-1] if findings else 0

    def cut(match: re.Match) -> str:
        name, start = match["name"], match.start()
        # "Clinical details: cough Description: .." tells the findings where nothing else does
        known = _CORE_NAME.fullmatch(name) or (not findings and _TELLING.fullmatch(name))
        if start == 0 or name[0] != name[0].upper() or not known:
            return match[0]
        # "COMPARISON: None." after a sentence of the findings stays there: what follows it is findings again. Before
        # the findings it has to end an impression that was told first.
        counts = match["number"] or start <= last or _TOLD_NAME.fullmatch(name) or text[start - 1] not in ".!?;,"
        return f"\n{match[0][1:]}" if counts else match[0]

    return _FLAT.sub(cut, text)
