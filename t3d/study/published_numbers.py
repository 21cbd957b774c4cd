"""Published numbers of public benchmarks, each with its source, its protocol and whether we could read it there."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from t3d.files import read_json
from t3d.study.comparison import MEAN, Row
from t3d.study.value_text import said

FILE = Path(__file__).parent / "published_numbers.json"
NOT_RUN, NOT_COMPARED = "not run", "-"


@cache
def published_numbers() -> dict[str, Any]:
    """Benchmark -> ``title``, ``ours`` (our protocol), ``rows`` (the numbers) and ``not_comparable`` (sentences)."""
    content: dict[str, Any] = read_json(FILE, what="list of published numbers", remedy="restore it")["benchmarks"]
    return content


def benchmarks() -> tuple[str, ...]:
    """Names of the benchmarks that have an entry."""
    return tuple(published_numbers())


def beside(benchmark: str, rows: Sequence[Row] = (), *, arms: Sequence[str] = ()) -> list[str]:
    """Lines of Markdown: the numbers of one benchmark, and ours where there are some.

    Args:
        benchmark: one of ``benchmarks``.
        rows: of a study.
        arms: of the study, in their order.
    """
    entry = published_numbers()[benchmark]
    lines = [f"### Published: {entry['title']}", "", f"Ours: {entry['ours']}", ""]
    if entry["rows"]:
        lines += ["| model | what | value | ours | protocol | source | read there |", "|---" * 7 + "|"]
    for one in entry["rows"]:
        cells = (
            one["model"],
            f"{one['task']}: {one['measure']}",
            f"{one['value']:.3f}".removeprefix("0"),
            _ours(one, rows, arms),
            one["protocol"],
            one["source"],
            one["read"],
        )
        lines.append("| " + " | ".join(cells) + " |")
    lines += [*([""] if entry["rows"] else []), *(f"- {one}" for one in entry["not_comparable"]), ""]
    return lines


def as_page() -> str:
    """The page ``docs/published_numbers.md``."""
    head = read_json(FILE, what="list of published numbers", remedy="restore it")["head"]
    return "\n".join([*head, "", *(line for name in benchmarks() for line in beside(name))]).rstrip("\n") + "\n"


def _ours(one: Mapping[str, Any], rows: Sequence[Row], arms: Sequence[str]) -> str:
    """Our values of the same measure, with the most labels, by arm; none beside a number of unknown protocol."""
    if one["ours"] is None:
        return NOT_COMPARED
    found: dict[str, Row] = {}
    for row in rows:
        if (row.task, row.metric, row.target, row.against) == (*_measured(one), ""):
            found[row.arm] = row  # budgets come in the order of the plan: the last is the largest
    shown = [f"{arm} {said(found[arm])}" for arm in arms if arm in found and found[arm].value is not None]
    return ", ".join(shown) or NOT_RUN


def _measured(one: Mapping[str, Any]) -> tuple[str, str, str]:
    return one["ours"]["task"], one["ours"]["metric"], one["ours"].get("target", MEAN)
