"""A table of results, written out."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table whose cells are written already, so that no page rounds a number in its own way.

    Attributes:
        columns: C names.
        rows: of C cells each; the first names the row.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
