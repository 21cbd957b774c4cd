"""Tables of results, from what evaluations write: the same rows for every page."""

from collections.abc import Mapping
from typing import Any

from t3d.page.table import Table

_GAUGES = (
    ("tic_accuracy", "contrast, top-1 (chance {tic_chance:.3f})"),
    ("tic_shortcut", "the same with noise as images (should be chance)"),
    ("sentence_accuracy", "held-out sentences that find their volume"),
    ("sentence_chance", "the same by guessing"),
    ("text_gain_contrast", "gain of the right report, contrast (nats)"),
    ("text_gain_restoration", "gain of the right report, restoration"),
    ("restoration_error", "restored crop, L1"),
    ("corrupted_input_error", "corrupted crop, L1"),
)


def gauge_table(runs: Mapping[str, Mapping[str, Any]]) -> Table:
    """The gauges of pre-trainings side by side.

    Args:
        runs: column -> content of a ``gauges.json``; a gauge that none of them has gets no row.
    """
    first = next(iter(runs.values()))
    rows = []
    for name, text in _GAUGES:
        if all(gauges.get(name) is None for gauges in runs.values()):
            continue
        digits = 4 if "L1" in text or "rest" in name else 3
        cells = [number(run.get(name), run.get(f"{name}_interval"), digits=digits) for run in runs.values()]
        rows.append([text.format(**first), *cells])
    ranks = [f"{gauges['effective_rank']:.1f}" for gauges in runs.values()]
    return Table(["gauge", *runs], [*rows, [f"effective rank of {first['embedding_width']}", *ranks]])


def part_table(title: str, runs: Mapping[str, Mapping[str, Any]], *, metric: str) -> Table:
    """One metric of every class or finding, runs side by side.

    Args:
        title: of the first column.
        runs: column -> content of a ``metrics.json``.
        metric: such as ``dice``.
    """
    part = _part(next(iter(runs.values())))
    names = next(iter(runs.values()))[part]
    rows = [[plain(name), *(measured(run[part][name][metric]) for run in runs.values())] for name in names]
    return Table([title, *runs], rows)


def metric_table(title: str, metrics: Mapping[str, Any], columns: Mapping[str, str]) -> Table:
    """All classes or findings of one evaluation, and their mean.

    Args:
        title: of the first column.
        metrics: content of a ``metrics.json``.
        columns: metric or count -> what stands above it.
    """
    rows = [
        [plain(name), *(_cell(found.get(metric)) for metric in columns)]
        for name, found in metrics[_part(metrics)].items()
    ]
    mean = ["mean", *(_cell(metrics["mean"].get(metric)) for metric in columns)]
    return Table([title, *columns.values()], [*rows, mean])


def class_facts(case: Mapping[str, Any]) -> Table:
    """The measures of one segmented case, from ``per_case`` of a ``metrics.json``."""
    columns = {"dice": "Dice", "hd95": "HD95, mm", "label_ml": "truth, ml", "predicted_ml": "prediction, ml"}
    rows = [
        [plain(name), *(number(found[key], digits=2 if key == "dice" else 1) for key in columns)]
        for name, found in case["classes"].items()
    ]
    return Table(["class", *columns.values()], rows)


def finding_facts(case: Mapping[str, Any]) -> Table:
    """The findings of one classified case, from ``per_case`` of a ``metrics.json``; the highest scores first."""
    states = {None: "unknown", 0: "absent", 1: "present"}
    scores = sorted(case["scores"].items(), key=lambda entry: -entry[1])
    rows = [[plain(name), number(score), states[case["labels"][name]]] for name, score in scores]
    return Table(["finding", "score", "truth"], rows)


def measured(entry: Mapping[str, Any]) -> str:
    """A mean or a value of a ``metrics.json`` with its interval."""
    return number(entry.get("value", entry.get("mean")), entry["interval"])


def number(value: float | None, interval: list | None = None, *, digits: int = 3) -> str:
    """A number with its interval, a dash for none."""
    if value is None:
        return "-"
    span = "" if interval is None else f" ({interval[0]:.{digits}f} to {interval[1]:.{digits}f})"
    return f"{value:.{digits}f}{span}"


def plain(name: str) -> str:
    """A name of a class or a finding as people write it."""
    return name.replace("_", " ")


def _part(metrics: Mapping[str, Any]) -> str:
    return "classes" if "classes" in metrics else "findings"


def _cell(found: Any) -> str:
    if isinstance(found, Mapping):
        return measured(found)
    return "" if found is None else str(found)
