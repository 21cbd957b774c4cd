"""The result of a study on disk: one CSV, one Markdown table, one figure."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from t3d.atomic import write_atomically
from t3d.study.comparison import GAP, MEAN, Row
from t3d.study.value_text import said

# in the Markdown table
SHOWN = (
    "auroc", "skill", "dice", "surface_dice", "froc", "sensitivity@1", "lesion_sensitivity",
    "false_positives_per_case", "error_in_lesions", "text_gain_in_lesions", "error_in_body",
)  # fmt: skip
RECALL = "recall@"  # .. at any number
# .. and as a panel of the figure: one measure of each task
PRIMARY = ("auroc", "dice", "froc", "recall@5", "error_in_lesions")
NAMES = {
    "auroc": "AUROC", "dice": "Dice", "froc": "sensitivity", "recall@5": "recall at 5",
    "error_in_lesions": "error in lesions (less is better)",
}  # fmt: skip
BY_SIZE = ", lesions "  # between the name of a task and a class of lesions
CSV, TABLE, FIGURE = "results.csv", "results.md", "results.png"


def write_report(
    out_dir: Path,
    rows: Sequence[Row],
    *,
    arms: Sequence[str],
    reference: str,
    notes: Sequence[str],
    published: Sequence[str] = (),
) -> None:
    """Write the three files; the same rows give the same bytes.

    Args:
        out_dir: of the study.
        rows: of all tasks and budgets.
        arms: in the order of table and figure.
        reference: the zero line.
        notes: sentences below the table: what was left out, what is missing.
        published: lines of a table of published numbers, between the tables and the notes.
    """
    picture = io.BytesIO()
    draw(rows, arms=arms, reference=reference).savefig(picture, format="png", dpi=120, metadata={"Software": None})
    write_atomically(
        {
            out_dir / FIGURE: picture.getvalue(),
            out_dir / TABLE: as_markdown(rows, arms=arms, notes=notes, published=published).encode(),
            out_dir / CSV: as_csv(rows).encode(),
        }
    )


def as_csv(rows: Sequence[Row]) -> str:
    """Long form: a line for every task, budget, target, metric, arm and comparison."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(Row._fields)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return stream.getvalue()


def as_markdown(
    rows: Sequence[Row], *, arms: Sequence[str], notes: Sequence[str], published: Sequence[str] = ()
) -> str:
    """Tables of the means: arms as rows, budgets of labels as columns; values, differences, shares of the gap."""
    parts = []
    shown = [row for row in rows if row.metric in SHOWN or row.metric.startswith(RECALL)]
    for task, metric in dict.fromkeys((row.task, row.metric) for row in shown):
        mine = [row for row in rows if (row.task, row.metric, row.target) == (task, metric, MEAN)]
        for against in dict.fromkeys(row.against for row in mine):
            title = f"{metric} minus that of {against}" if against else metric
            parts += [f"### {task}: {title}", "", *_table([r for r in mine if r.against == against], arms, against)]
        gap = [row for row in rows if (row.task, row.metric) == (task, f"{GAP}_{metric}")]
        if metric == "auroc" and BY_SIZE not in task:
            parts += _by_finding([row for row in rows if (row.task, row.metric) == (task, metric)], arms)
        if gap:
            title = f"share of the gap from shuffled reports to true findings, {metric}"
            parts += [f"### {task}: {title}", "", *_table(gap, arms, "")]
    head = "# Result of the study\n\nMeans over findings or classes and seeds, with 95 % intervals over patients."
    below = ["## Notes", "", *(f"- {note}" for note in notes)] if notes else []
    return "\n".join([head, "", *parts, *published, *below]) + "\n"


def _table(rows: Sequence[Row], arms: Sequence[str], against: str) -> list[str]:
    budgets = list(dict.fromkeys(row.labels for row in rows))
    names = [name for name in arms if any(row.arm == name for row in rows)]
    found = {(row.arm, row.labels): row for row in rows}
    titles = [_budget(budget) or "value" for budget in budgets]
    lines = ["| arm | " + " | ".join(titles) + " |", "|---" * (len(budgets) + 1) + "|"]
    for name in names:
        cells = [said(found.get((name, budget)), signed=bool(against)) for budget in budgets]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def _by_finding(rows: Sequence[Row], arms: Sequence[str]) -> list[str]:
    """Findings as rows and arms as columns, with the most labels."""
    own = [row for row in rows if not row.against and row.target != MEAN]
    if not own:
        return []
    most = own[-1].labels
    own = [row for row in own if row.labels == most]
    names = [name for name in arms if any(row.arm == name for row in own)]
    found = {(row.target, row.arm): row for row in own}
    with_labels = f" with {_budget(most)}" if most is not None else ""
    lines = [f"### {own[0].task}: auroc by finding{with_labels}", ""]
    lines += ["| finding | positives | " + " | ".join(names) + " |", "|---" * (len(names) + 2) + "|"]
    for target in dict.fromkeys(row.target for row in own):
        values = [found.get((target, name)) for name in names]
        shown = ["-" if row is None or row.value is None else f"{row.value:.3f}" for row in values]
        positives = next(row.positives for row in own if row.target == target)
        lines.append(f"| {target.replace('_', ' ')} | {positives} | " + " | ".join(shown) + " |")
    return [*lines, ""]


def _budget(labels: Any) -> str:
    return "" if labels is None else f"{labels} labels"


def _cell(value: Any) -> Any:
    return "" if value is None else f"{value:.6f}" if isinstance(value, float) else value


def draw(rows: Sequence[Row], *, arms: Sequence[str], reference: str) -> Figure:
    """Differences of arms (rows): a panel for each task, a colour for each budget.

    They are from the reference arm, or, in tasks that cannot be asked of it, from arms with shuffled reports. A dot is
    filled where the interval does not hold 0.
    """
    wanted = [
        row for row in rows if row.target == MEAN and row.against and row.metric in PRIMARY and BY_SIZE not in row.task
    ]
    asked = {row.task for row in wanted if row.against == reference}
    wanted = [row for row in wanted if row.against == reference or row.task not in asked]
    tasks = list(dict.fromkeys((row.task, row.metric) for row in wanted))
    others = [name for name in arms if any(row.arm == name for row in wanted)]
    size = (max(5.5, 1.8 + 3.4 * len(tasks)), 2.4 + 0.5 * max(1, len(others)))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, max(1, len(tasks)), sharey=True, squeeze=False)[0]
    palette: Any = matplotlib.colormaps["tab10"]
    for axes, (task, metric) in zip(panels, tasks, strict=False):
        mine = [row for row in wanted if (row.task, row.metric) == (task, metric)]
        budgets = list(dict.fromkeys(row.labels for row in mine))
        for row in (row for row in mine if row.value is not None):
            number = budgets.index(row.labels)
            height = others.index(row.arm) + 0.5 * ((number + 0.5) / len(budgets) - 0.5)
            label = _budget(row.labels) if row.arm == mine[0].arm else None
            colour, inside = palette.colors[number % 10], True
            if row.low is not None and row.high is not None:
                axes.plot([row.low, row.high], [height, height], color=colour)
                inside = row.low <= 0 <= row.high
            axes.plot(row.value, height, "o", color=colour, mfc="white" if inside else colour)
            if label:
                axes.plot([], [], color=colour, label=label)
        axes.axvline(0, color="black", linewidth=0.8)
        against = " / ".join(dict.fromkeys(row.against for row in mine))
        axes.set_title(task.replace("_", " "))
        axes.set_xlabel(f"{NAMES.get(metric, metric)}\nminus that of {against}")
        axes.locator_params(axis="x", nbins=5)
        axes.margins(x=0.1)
        if any(budget is not None for budget in budgets):
            # below the panel: inside it would hide some arm
            axes.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.25), ncols=2, frameon=False)
    panels[0].set_yticks(range(len(others)), others)
    panels[0].set_ylim(len(others) - 0.4, -0.6)
    figure.suptitle("differences with 95 % intervals; filled: the interval does not hold 0", fontsize="medium")
    return figure
