"""Does pre-training help with few labels? Three starts, two label fractions, two tasks, one table.

python benchmarks/downstream_study.py --dataset_dir COHORT --out_dir OUT --t3d ENCODER --twin ENCODER

ENCODER is the encoder.safetensors of a pre-training (benchmarks/text_study.py leaves one per recipe). Every run is
the bundle's train.json + demo.json with the same overrides for the three starts: same cases, steps and seed. What is
finished is not run again.
"""

import json
import logging
import math
import sys
from pathlib import Path

import fire
from bundle_command import bundle_run

logger = logging.getLogger("downstream_study")

STAGES = {"segmentation": "Dice", "classification": "AUROC"}


def run_start(stage: str, dataset_dir: Path, folder: Path, *, encoder: str | None, fraction: float, **options) -> dict:
    """Train and evaluate one start; returns the content of its metrics.json."""
    metrics = folder / "eval" / "metrics.json"
    if not metrics.is_file():
        places = {"dataset_dir": dataset_dir, "ckpt_dir": folder / "models", "output_dir": folder / "eval"}
        start = {"encoder_weights": Path(encoder).resolve()} if encoder else {}
        given = {**places, **options, "label_fraction": fraction}
        bundle_run(stage, ("train", "demo"), folder / "train.log", **given, **start)
        bundle_run(stage, ("train", "demo", "evaluate"), folder / "evaluate.log", **given, overwrite=True)
    return json.loads(metrics.read_text(encoding="utf-8"))


def study(
    dataset_dir: str,
    out_dir: str,
    *,
    t3d: str,
    twin: str,
    fractions: tuple[float, ...] = (0.05, 1.0),
    stages: tuple[str, ...] = tuple(STAGES),
    steps: int = 350,
    batch_size: int = 1,
    **options,
) -> None:
    """Run everything and print the table; options beyond the named ones go to every run as overrides.

    Every run takes about ``steps`` optimizer steps, whatever its fraction, and is validated once, at its end.
    """
    cases = len(json.loads((Path(dataset_dir) / "datalist.json").read_text(encoding="utf-8"))["training"])
    starts = {"T3D": t3d, "vision-only twin": twin, "from scratch": None}
    lines = ["| task | labels | " + " | ".join(starts) + " |", "|" + "---|" * (2 + len(starts))]
    for stage in [stages] if isinstance(stages, str) else stages:
        for fraction in fractions if isinstance(fractions, tuple | list) else [fractions]:
            epochs = max(1, round(steps / math.ceil(cases * fraction / batch_size)))
            schedule = {"max_epochs": epochs, "val_interval": epochs, "batch_size": batch_size}
            cells = [f"{stage}, mean {STAGES[stage]}", f"{100 * fraction:g} %"]
            for name, encoder in starts.items():
                folder = Path(out_dir).resolve() / f"{stage}_{fraction:g}_{name.replace(' ', '_')}"
                found = run_start(
                    stage, Path(dataset_dir).resolve(), folder, encoder=encoder, fraction=fraction,
                    **schedule, **options,
                )  # fmt: skip
                cells.append(_mean(found, STAGES[stage].lower()))
                logger.info("%s, %s: %s", ", ".join(cells[:2]), name, cells[-1])
            lines.append("| " + " | ".join(cells) + " |")
    table = "\n".join(lines) + "\n"
    (Path(out_dir) / "downstream.md").write_text(table, encoding="utf-8")
    sys.stdout.write(table)


def _mean(metrics: dict, name: str) -> str:
    entry = metrics["mean"][name]
    value = entry.get("mean", entry.get("value"))
    low, high = entry["interval"]
    return f"{value:.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    fire.Fire(study)
