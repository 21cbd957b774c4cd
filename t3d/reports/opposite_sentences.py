"""The opposite of a sentence of an English report: what would be written where it is not so."""

import re

_FLAGS = re.IGNORECASE
# each rule: what a sentence looks like, and what it becomes; the first that fits counts
_RULES = [
    # "There is no effusion" and the like, either way
    (re.compile(r"^(there (?:is|are|was|were)) (?:no|not any) (?:evidence of |sign of |signs of )?", _FLAGS), r"\1 "),
    (re.compile(r"^(there (?:is|are|was|were)) (?:an? |some )?", _FLAGS), r"\1 no "),
    # "No effusion", "Without effusion"
    (re.compile(r"^(?:no|without) (?:evidence of |sign of |signs of |definite )*", _FLAGS), ""),
    (re.compile(r"^negative for ", _FLAGS), "Positive for "),
    (re.compile(r"^positive for ", _FLAGS), "Negative for "),
    # "The liver is not enlarged" and the like, either way
    (re.compile(r"\b(is|are|was|were|has|have|does|do|can|could) not ", _FLAGS), r"\1 "),
    (re.compile(r"\b(is|are|was|were) ", _FLAGS), r"\1 not "),
    (re.compile(r"\bwithout (?=\w)", _FLAGS), "with "),
    # a finding named without a verb
    (re.compile(r"^(?:an? |the )?", _FLAGS), "No "),
]
_SECOND_WORD = re.compile(r"^(No |[Tt]here \w+ no )([A-Z])(?=[a-z])")


def opposite_sentence(sentence: str) -> str:
    """Negate a sentence, or take a negation away, by rules for English radiology reports (ours).

    What is written in another language comes out wrong, and what holds two statements is negated in the first only:
    opposites are an ablation, not the default.

    Returns:
        "No pleural effusion." for "Pleural effusion.", and the other way round; "" for a sentence without a letter.
    """
    if not any(letter.isalpha() for letter in sentence):
        return ""
    for pattern, becomes in _RULES:
        opposite, changed = pattern.subn(becomes, sentence, count=1)
        if changed:
            break
    # "No Right renal cyst" -> "No right renal cyst"; an abbreviation in capitals stays
    opposite = _SECOND_WORD.sub(lambda found: found[1] + found[2].lower(), opposite)
    return opposite[:1].upper() + opposite[1:]
