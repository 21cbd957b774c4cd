"""Where the sentences of a radiology report end."""

import re

from t3d.reports.letters import HAN, LOWER, OPENING, STOPS, WIDE_STOPS

_ABBREVIATIONS = frozenset(
    "dr mr mrs ms prof st vs approx e.g i.e eg ie cf al no nos fig figs ca est resp incl dept sq "
    "bzw z.b d.h v.a z.n u.a o.g i.v inkl evtl ggf vgl nr abb sog dra sra sr aprox p.ej p.ex ej env рис т.е т.к örn "
    "bkz".split()
)
_CLOSERS = r"[\"')\]»”’」』）】]*"
_SENTENCE_END = re.compile(
    rf"(?<![{STOPS}])[{STOPS}]+{_CLOSERS}\s+(?=(?:[\"'(\[¿¡„“‚]|« ?){{0,2}}{OPENING})"
    # in Chinese and Japanese no space follows, but a number may go on
    rf"|(?:[{WIDE_STOPS}]|．(?![0-9０-９])|(?<=[{HAN}])\.(?=[{HAN}]))[{WIDE_STOPS}]*{_CLOSERS}\s*"
)
_NEW_LINE_OPENS_SENTENCE = re.compile(
    rf"\n\s*\n|\n(?=\s*(?:\d{{1,2}}(?:[.)]\s|[、．）])|[-*•]\s|[^\W\d_{LOWER}][\w /()-]{{0,40}}[:：]))"
)
_BEFORE_NUMBER = frozenset("no nos nr".split())  # "No. 3"; "Nodule? No. Clear." ends
# After these a number is an ordinal, whose stop the next word follows: "am 3. Mai", "der 5. Rippe".
_BEFORE_ORDINAL = frozenset("der des dem den das am im vom zum zur beim".split())
_INITIAL = re.compile(r"[^\W\d_]\.")
_WIDE = f"{WIDE_STOPS}．"


def split_sentences(text: str) -> list[str]:
    """Split report text into sentences; ``" ".join`` of them holds every word in order.

    A sentence ends at ``. ! ?`` before a capital of any alphabet or a number, at a Chinese or Japanese stop, at an
    empty line, and before a list item or "Label:" on a new line. Decimals (1.2 cm), "e.g.", "Dr.", initials and list
    numbers ("1. Patent airway.") do not end it.

    Args:
        text: a cleaned report (``clean_report``), or a section of it.

    Returns:
        sentences with single spaces and no line breaks; [] for an empty text.
    """
    sentences = []
    for block in _NEW_LINE_OPENS_SENTENCE.split(text):
        start = 0
        for end in _SENTENCE_END.finditer(block):
            wide = block[end.start()] in _WIDE
            if wide or not _is_inner_stop(block[start : end.start()], block[end.end() :][:2]):
                sentences.append(block[start : end.end()])
                start = end.end()
        sentences.append(block[start:])
    sentences = [" ".join(sentence.split()) for sentence in sentences]
    return [sentence for sentence in sentences if sentence]


def _is_inner_stop(before: str, after: str) -> bool:
    """Whether the stop after ``before`` belongs to an abbreviation, an initial, an ordinal or a list number."""
    words = before.split()
    if not words:
        return True
    last = words[-1].lstrip("(\"'[¿¡«„“")
    previous = words[-2] if len(words) > 1 else ""
    if last.isdigit() and len(last) <= 2:
        return not previous or previous.endswith((":", "：")) or previous.lower() in _BEFORE_ORDINAL
    if last.lower() in _ABBREVIATIONS:
        return last.lower() not in _BEFORE_NUMBER or after[:1].isdigit()
    if len(last) != 1 or not last.isalpha() or last == "I":  # "Grade I." ends a sentence
        return False
    # an initial; or one of "z. B." and "V. a.", which are written with a space too
    return last.isupper() or _INITIAL.match(after) is not None or _INITIAL.fullmatch(previous) is not None
