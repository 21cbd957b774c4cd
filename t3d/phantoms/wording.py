"""Small pieces of a report's language."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NUMBERS = ("no", "one", "two", "three", "four", "five", "six")


@dataclass(frozen=True)
class Sentence:
    """A sentence of FINDINGS and, if it tells of disease, what IMPRESSION says of it."""

    text: str
    conclusion: str = ""


def pick(rng: np.random.Generator, ways: Sequence[str]) -> str:
    """One way to say it."""
    return ways[int(rng.integers(len(ways)))]


def length(rng: np.random.Generator, mm: float) -> str:
    """A length as radiologists write it: "14 mm", or from 10 mm upwards also "1.4 cm"."""
    if mm >= 10 and rng.uniform() < 0.5:
        return f"{mm / 10:.1f} cm"
    return f"{mm:.0f} mm"


def centimetres(mm: float) -> str:
    """An organ's size, "17.2 cm"."""
    return f"{mm / 10:.1f} cm"


def listed(parts: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def capital(text: str) -> str:
    """The text with its first letter in upper case."""
    return text[:1].upper() + text[1:]
