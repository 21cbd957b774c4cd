"""The distinct sentences of a report, and which of them are worth asking about."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from t3d.reports.comparisons import compares
from t3d.reports.letters import HAN
from t3d.reports.sections import wanted_parts
from t3d.reports.sentences import split_sentences

# a word, so that the number of a list or a row of dashes is no sentence
_WORD = re.compile(rf"[^\W\d_]{{2}}|[{HAN}]")
_ITEM = re.compile(r"(?:\(?\d{1,2}[.)、．）]|[-*•])\s*(?=\D)")


class SpokenSentence(NamedTuple):
    """A sentence of a report, and whether a network that sees its scan may be asked which volume says it."""

    text: str
    asked: bool


def spoken_sentences(text: str, ask: Sequence[str] = ("impression",)) -> list[SpokenSentence]:
    """The sentences of findings and impression, each once, in the report's order (ours).

    What the radiologist thought worth repeating is asked: the sentences of the sections ``ask``. A report without a
    sentence there has those of its findings asked; one without headings all of them. Sentences that compare with an
    earlier study are never asked, since one scan cannot answer them; they still count as said. The number of
    an item of a list is no part of its sentence.

    Args:
        text: a cleaned report (``clean_report``).
        ask: names out of ``SECTIONS``.

    Returns:
        [] for a report without a word.

    Raises:
        T3DError: an unknown or no section name.
    """
    wanted_parts("", ask)  # raises for an unknown name also where a report has no sections
    parts = wanted_parts(text)
    told = [(part.names, text[part.start : part.end]) for part in parts] or [((), text)]
    sections: dict[str, set[str]] = {}  # a sentence that is repeated belongs to several
    for names, body in told:
        for sentence in split_sentences(body):
            sentence = _ITEM.sub("", sentence, count=1) if _ITEM.match(sentence) else sentence
            if _WORD.search(sentence):
                sections.setdefault(sentence, set()).update(names)
    askable = [sentence for sentence in sections if not compares(sentence)]
    asked: set[str] = set()
    wanted_names = {str(name).lower() for name in ([ask] if isinstance(ask, str) else ask)}
    for wanted in (wanted_names, {"findings"}):
        asked = asked or {sentence for sentence in askable if wanted & sections[sentence]}
    asked = asked or set(askable)
    return [SpokenSentence(sentence, sentence in asked) for sentence in sections]
