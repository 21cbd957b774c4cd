"""The table and the JSON of benchmarks/gpu_check.sh, from what its parts have left in the folder, whole or not.

python benchmarks/gpu_table.py OUT
"""

import json
import sys
from pathlib import Path
from typing import Any

STOCK, PLAIN, TEXT = "stock Swin UNETR", "T3D without text windows", "T3D"
OPEN = {"kind", "batch", "type", "how"}  # what names a row; the rest that is no number of it are options
NUMBERS = ("step_ms", "crop_ms", "first_step_s", "peak_mib", "kept_per_crop_mib", "waits_per_step")


def lines(file: Path) -> list[dict[str, Any]]:
    """The objects of a file of JSON lines; the last one may be cut."""
    found = []
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else ():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return found


def ratios(steps: list[dict[str, Any]]) -> dict[str, float]:
    """What the bars of the project are about, where both rows were measured (bf16, the largest common batch)."""
    plain = [row for row in steps if row["type"] == "bf16" and not row["how"] and set(row) & {"step_ms"}]
    rows = {row["kind"]: row for row in reversed(plain) if not _options(row)}
    stock, found = rows.get(STOCK), {}
    if stock is None:
        return found
    for name, number, label in (
        (PLAIN, "step_ms", "step without text windows, of stock's (bar .9)"),
        (TEXT, "crop_ms", "with 8 text windows, per encoded crop, of stock's (bar 1.1)"),
        (PLAIN, "kept_per_crop_mib", "memory kept per crop without text windows, of stock's (bar .4)"),
    ):
        row = rows.get(name)
        if row and row["batch"] == stock["batch"] and row.get(number) and stock.get(number):
            found[label] = round(row[number] / stock[number], 3)
    more = rows.get("T3D, 32 text windows")
    if more and TEXT in rows and more.get("peak_mib") and rows[TEXT]["batch"] == more["batch"]:
        found["peak of 32 text windows, of that of 8 (bar 1.25)"] = round(more["peak_mib"] / rows[TEXT]["peak_mib"], 3)
    return found


def _options(row: dict[str, Any]) -> dict[str, Any]:
    known = {*OPEN, *NUMBERS, "loss", "failed", "left_out"}
    return {
        name: value
        for name, value in row.items()
        if name not in known and not name.startswith(("seconds,", "peak_mib,"))
    }


def table(card: str, steps: list[dict[str, Any]], runs: list[dict[str, Any]], bars: dict[str, float]) -> str:
    """Markdown."""
    text = [*card.strip().splitlines(), "", "| recipe | volumes | type | how | " + " | ".join(NUMBERS) + " |"]
    text.append("|---" * (4 + len(NUMBERS)) + "|")
    for row in steps:
        said = ", ".join([row["how"], *(f"{name} {value}" for name, value in _options(row).items())]).strip(", ")
        cells = [row["kind"], row["batch"], row["type"], said]
        if "failed" in row or "left_out" in row:
            cells += [row.get("failed", "left out").replace("|", "/"), *[""] * (len(NUMBERS) - 1)]
        elif "step_ms" in row:
            cells += [row.get(name) if row.get(name) is not None else "" for name in NUMBERS]
        else:
            numbers = [f"{name} {value}" for name, value in row.items() if name.startswith(("seconds,", "peak_mib,"))]
            cells += ["; ".join(numbers), *[""] * (len(NUMBERS) - 1)]
        text.append("| " + " | ".join(map(str, cells)) + " |")
    text += ["", "| ratio | |", "|---|---|", *(f"| {name} | {value} |" for name, value in bars.items())]
    text += ["", "| part | status | s | as it should |", "|---|---|---|---|"]
    for run in runs:
        status = "left out" if run["status"] is None else run["status"]
        text.append(f"| {run['part']} | {status} | {run['seconds']} | {'yes' if run['ok'] else '**no**'} |")
    return "\n".join(text) + "\n"


def main(folder: Path) -> None:
    """Write ``table.md`` and ``check.json``."""
    steps, runs = lines(folder / "steps.jsonl"), lines(folder / "runs.jsonl")
    card_file = folder / "card.txt"
    card = card_file.read_text(encoding="utf-8") if card_file.is_file() else "unknown"
    bars = ratios(steps)
    content = {"card": card.splitlines(), "ratios": bars, "steps": steps, "runs": runs}
    (folder / "check.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    written = table(card, steps, runs, bars)
    (folder / "table.md").write_text(written, encoding="utf-8")
    sys.stdout.write(written)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
