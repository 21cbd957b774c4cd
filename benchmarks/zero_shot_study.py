"""Do zero-shot scores and retrieval come from the reports? Trains with true and with shuffled pairs, and compares.

python benchmarks/zero_shot_study.py --dataset_dir COHORT --out_dir OUT [--text_encoder FOLDER --text_width D ..]

Every arm is the bundle's train.json + demo.json + align.json with a few overrides, run through ``monai.bundle run`` as
a user would, then zero_shot.json and retrieval.json on the test list. An arm that is finished is not run again.
"""

import json
import sys
from pathlib import Path

import fire
from bundle_command import bundle_run

ARMS: dict[str, dict] = {"true pairs": {}, "reports shuffled": {"shuffle_reports": True}}


def run_arm(name: str, dataset_dir: Path, folder: Path, **shared) -> dict[str, dict]:
    """Train one arm and ask it; returns the metrics of zero-shot and retrieval."""
    places = {"dataset_dir": dataset_dir, "ckpt_dir": folder / "models"}
    if not (folder / "models" / "model.pt").is_file():
        options = {**places, "output_dir": folder / "eval", **shared, **ARMS[name]}
        bundle_run("pretrain", ("train", "demo", "align"), folder / "train.log", **options)
    metrics = {}
    for kind in ("zero_shot", "retrieval"):
        result = folder / kind / "metrics.json"
        if not result.is_file():
            bundle_run("pretrain", ("inference", kind), folder / f"{kind}.log", **places, output_dir=folder / kind)
        metrics[kind] = json.loads(result.read_text())
    return metrics


def rows(arms: dict[str, dict[str, dict]]) -> list[str]:
    """The table: one line per number, one column per arm."""
    first = next(iter(arms.values()))
    lines = ["| | " + " | ".join(arms) + " | chance |", "|" + "---|" * (len(arms) + 2)]
    for name in [*first["zero_shot"]["findings"], "mean"]:
        entries = [
            (arm["zero_shot"]["mean"] if name == "mean" else arm["zero_shot"]["findings"][name])["auroc"]
            for arm in arms.values()
        ]
        lines.append(f"| AUROC {name} | " + " | ".join(_cell(entry) for entry in entries) + " | 0.5 |")
    for direction in ("report_to_volume", "volume_to_report"):
        for measure in ("recall@1", "recall@5", "recall@10", "median_rank"):
            entries = [arm["retrieval"][direction][measure] for arm in arms.values()]
            cells = " | ".join(_cell(entry) for entry in entries)
            lines.append(f"| {direction.replace('_', ' ')} {measure} | {cells} | {entries[0]['chance']:.3g} |")
    return lines


def _cell(entry: dict) -> str:
    if entry["value"] is None:
        return "-"
    low, high = entry["interval"] or (float("nan"),) * 2
    return f"{entry['value']:.3g} ({low:.3g} to {high:.3g})"


def study(dataset_dir: str, out_dir: str, *, arms: str = ";".join(ARMS), **shared) -> None:
    """Run the arms one after another; options beyond the named ones go to every training as overrides."""
    found = {
        name: run_arm(name, Path(dataset_dir).resolve(), Path(out_dir).resolve() / name.replace(" ", "_"), **shared)
        for name in (one.strip() for one in arms.split(";"))
    }
    table = "\n".join(rows(found)) + "\n"
    (Path(out_dir) / "table.md").write_text(table)
    sys.stdout.write(table)


if __name__ == "__main__":
    fire.Fire(study)
