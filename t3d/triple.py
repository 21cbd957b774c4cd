"""Three values of one kind, as shapes, spacings and points have."""

from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")


def triple(values: Iterable[T]) -> tuple[T, T, T]:
    """The three values as a tuple.

    Raises:
        ValueError: there are fewer or more than three.
    """
    first, second, third = values
    return first, second, third
