"""Small folders in the layout of published cohorts, for the tests of their adapters."""

import csv
import json
from pathlib import Path

from t3d.cli import main


def volume(file: Path, content: bytes = b"volume") -> Path:
    """A file where a volume should be; adapters look at names and sizes only."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def table(file: Path, rows: list[dict], *, encoding: str = "utf-8", delimiter: str = ",") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "w", newline="", encoding=encoding) as lines:
        writer = csv.DictWriter(lines, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return file


def run(name: str, root: Path, out: Path, *arguments: str) -> dict:
    """`t3d cohort NAME` and the datalist it wrote."""
    main(["cohort", name, "--root", str(root), "--out", str(out), *arguments])
    return json.loads(out.read_text(encoding="utf-8"))


def not_found(out: Path) -> dict[str, str]:
    """Case -> what, of the file beside the datalist."""
    with open(out.with_name(f"{out.stem}_not_found.csv"), newline="", encoding="utf-8") as lines:
        return {row["case"]: row["what"] for row in csv.DictReader(lines)}


def cases(datalist: dict, split: str) -> list[str]:
    return [item["case_id"] for item in datalist[split]]
