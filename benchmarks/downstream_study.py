"""Does pre-training help with few labels? Three starts, two label fractions, two tasks, one table.

python benchmarks/downstream_study.py --dataset_dir COHORT --out_dir OUT --t3d ENCODER --twin ENCODER

ENCODER is the encoder.safetensors of a pre-training (benchmarks/text_study.py leaves one per recipe). Every run is
the bundle's train.json + demo.json with the same overrides for the three starts: same cases, steps and seed. What is
finished is not run again. The last columns are differences to the start from scratch on the same cases; intervals are
about patients, not about repetitions of the training.
"""

import json
import logging
import math
import sys
from pathlib import Path

import fire
import numpy as np
from bundle_command import bundle_run

from t3d.metrics.classification import auroc
from t3d.metrics.intervals import bootstrap_statistic

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
    compared = [name for name in starts if starts[name]]
    heads = ["task", "labels", *starts, *(f"{name} - scratch" for name in compared)]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for stage in [stages] if isinstance(stages, str) else stages:
        for fraction in fractions if isinstance(fractions, tuple | list) else [fractions]:
            epochs = max(1, round(steps / math.ceil(cases * fraction / batch_size)))
            schedule = {"max_epochs": epochs, "val_interval": epochs, "batch_size": batch_size}
            cells = [f"{stage}, mean {STAGES[stage]}", f"{100 * fraction:g} %"]
            found = {}
            for name, encoder in starts.items():
                folder = Path(out_dir).resolve() / f"{stage}_{fraction:g}_{name.replace(' ', '_')}"
                found[name] = run_start(
                    stage, Path(dataset_dir).resolve(), folder, encoder=encoder, fraction=fraction,
                    **schedule, **options,
                )  # fmt: skip
                cells.append(_mean(found[name], STAGES[stage].lower()))
                logger.info("%s, %s: %s", ", ".join(cells[:2]), name, cells[-1])
            cells += [_with_interval(*DIFFERENCES[stage](found[name], found["from scratch"])) for name in compared]
            lines.append("| " + " | ".join(cells) + " |")
    table = "\n".join(lines) + "\n"
    (Path(out_dir) / "downstream.md").write_text(table, encoding="utf-8")
    sys.stdout.write(table)


def dice_difference(one: dict, other: dict) -> tuple[float | None, list[float] | None]:
    """Mean Dice over classes of one evaluation minus another's on the same cases, paired by patient."""
    same_cases(one, other)
    dice = [
        np.array([[case["classes"][name]["dice"] for name in one["classes"]] for case in run["per_case"]], dtype=float)
        for run in (one, other)
    ]
    return bootstrap_statistic(lambda a, b: np.nanmean(a, axis=0).mean() - np.nanmean(b, axis=0).mean(), tuple(dice),
                               _patients(one))  # fmt: skip


def auroc_difference(one: dict, other: dict) -> tuple[float | None, list[float] | None]:
    """Mean AUROC over findings of one evaluation minus another's on the same cases, paired by patient."""
    same_cases(one, other)
    names = list(one["findings"])
    scores = [np.array([[case["scores"][name] for name in names] for case in run["per_case"]]) for run in (one, other)]
    labels = np.array([[case["labels"][name] for name in names] for case in one["per_case"]], dtype=float)

    def difference(a: np.ndarray, b: np.ndarray, truth: np.ndarray) -> float:
        gains = [auroc(a[:, k], truth[:, k]) - auroc(b[:, k], truth[:, k]) for k in range(len(names))]
        return float(np.nanmean(gains))

    return bootstrap_statistic(difference, (*scores, labels), _patients(one))


DIFFERENCES = {"segmentation": dice_difference, "classification": auroc_difference}


def same_cases(one: dict, other: dict) -> None:
    """Refuse to pair evaluations of other cases."""
    if [case["case_id"] for case in one["per_case"]] != [case["case_id"] for case in other["per_case"]]:
        raise SystemExit("error: the starts were evaluated on different cases; evaluate them again on one list")


def _patients(metrics: dict) -> np.ndarray:
    return np.array([case["patient_id"] for case in metrics["per_case"]])


def _mean(metrics: dict, name: str) -> str:
    entry = metrics["mean"][name]
    return _with_interval(entry.get("mean", entry.get("value")), entry["interval"])


def _with_interval(value: float | None, interval: list[float] | None) -> str:
    if value is None or interval is None:
        return "not defined"
    return f"{value:.3f} ({interval[0]:.3f} to {interval[1]:.3f})"


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    fire.Fire(study)
