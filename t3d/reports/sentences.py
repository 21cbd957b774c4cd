"""Where the sentences of a radiology report end."""

import re

_ABBREVIATIONS = frozenset(
    "dr mr mrs ms prof st vs approx e.g i.e eg ie cf al no nos fig figs ca est resp incl dept sq".split()
)
_SENTENCE_END = re.compile(r"[.!?]+[\"')\]]*\s+(?=[\"'(\[]?[A-Z0-9])")
_NEW_LINE_OPENS_SENTENCE = re.compile(r"\n\s*\n|\n(?=\s*(?:\d{1,2}[.)]\s|[-*•]\s|[A-Z][\w /()-]{0,40}:))")


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
