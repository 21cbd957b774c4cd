"""CSV tables of a cohort: columns by name, every fault with file, line and remedy."""

import csv
from collections.abc import Sequence
from pathlib import Path

from t3d.errors import T3DError

# a report of a megabyte is a fault of the cohort, not of the reader
_LONGEST_CELL = 2**26
_EMPTY = ("", "nan", "none", "null", "not given.", "not given")


def read_table(file: Path, columns: Sequence[str] = (), *, delimiter: str | None = None) -> list[dict[str, str]]:
    """Rows of a CSV file as dicts of stripped text.

    Args:
        file: UTF-8, with or without a byte order mark; the first line names the columns.
        columns: those that must be there.
        delimiter: between cells; None takes a tab for .tsv, and else a comma, or a semicolon where the first line has
            no comma.

    Raises:
        T3DError: no such file, not UTF-8, no rows, a missing or doubled column, or a row with more cells than columns.
    """
    if not file.is_file():
        raise T3DError(f"{file} does not exist; correct --root, or name the table")
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_CELL))
    try:
        with open(file, encoding="utf-8-sig", newline="") as lines:
            first = lines.readline()
            lines.seek(0)
            if delimiter is None:
                delimiter = "\t" if file.suffix == ".tsv" else ";" if ";" in first and "," not in first else ","
            reader = csv.DictReader(lines, delimiter=delimiter, restval="")
            names = [(name or "").strip() for name in reader.fieldnames or []]
            _check_columns(file, names, columns)
            reader.fieldnames = names
            rows = [_clean(row, file, reader.line_num) for row in reader]
    except UnicodeDecodeError as error:
        raise T3DError(f"{file.name} is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except csv.Error as error:
        raise T3DError(f"{file.name} is no CSV table: {error}; export it again") from None
    if not rows:
        raise T3DError(f"{file.name} has no rows below its first line; give a table with one row per case")
    return rows


def known(cell: str | None) -> str:
    """The cell's text, "" for what stands for nothing (nan, Not given.)."""
    text = (cell or "").strip()
    return "" if text.lower() in _EMPTY else text


def shown(cell: str) -> str:
    """A cell in a message: itself if it is one short word, else its length, since it may be a piece of a report."""
    return repr(cell) if len(cell) <= 20 and len(cell.split()) <= 1 else f"a text of {len(cell)} characters"


def finding_states(
    row: dict[str, str], columns: Sequence[str], where: str, faults: list[str]
) -> dict[str, int | None]:
    """Finding name -> 1, 0 or None (empty, nan or -1) from the cells of a row.

    Args:
        row: of ``read_table``.
        columns: names of the findings.
        where: the case, for messages.
        faults: a cell that is none of these is added here.
    """
    states: dict[str, int | None] = {}
    for name in columns:
        try:
            value = float(known(row[name]) or -1)
        except ValueError:
            value = float("nan")
        if value not in (0, 1, -1):
            faults.append(f"{where}: finding {name} is {shown(row[name])}; use 0, 1, or leave it empty for unknown")
            continue
        states[name] = None if value == -1 else int(value)
    return states


def _check_columns(file: Path, names: Sequence[str], wanted: Sequence[str]) -> None:
    if not names:
        raise T3DError(f"{file.name} is empty; give a table with a line of column names")
    doubled = sorted({name for name in names if name and names.count(name) > 1})
    if doubled:
        raise T3DError(f"{file.name} has the column {doubled[0]} twice; rename one of them")
    missing = [name for name in wanted if name not in names]
    if missing:
        there = ", ".join(name if len(name) <= 40 else f"{name[:40]}.." for name in names[:20]) + (
            " .." if len(names) > 20 else ""
        )
        raise T3DError(f"{file.name} has no column {', '.join(missing)}; it has {there}")


def _clean(row: dict, file: Path, line: int) -> dict[str, str]:
    if row.pop(None, None):
        raise T3DError(
            f"{file.name}, line {line}: more cells than columns; quote texts that hold the delimiter, or set it"
        )
    return {name: value.strip() for name, value in row.items()}
