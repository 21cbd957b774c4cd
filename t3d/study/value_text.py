"""A value with its interval, as tables show it."""

from t3d.study.comparison import Row


def said(row: Row | None, *, signed: bool = False) -> str:
    """Value and interval of a row for a table, ``-`` where there is none."""
    if row is None or row.value is None:
        return "-"
    form = "{:+.3f}" if signed else "{:.3f}"
    value = form.format(row.value)
    return value if row.low is None else f"{value} ({form.format(row.low)} to {form.format(row.high)})"
