"""Runs of the pre-training bundle as a user starts them, at a size for tests."""

import os
import subprocess
import sys
from pathlib import Path

from monai.bundle import ConfigWorkflow

BUNDLE = Path(__file__).resolve().parents[1] / "bundles" / "t3d_pretrain"
TINY = {
    "max_epochs": 2,
    "steps_per_epoch": 2,
    "batch_size": 2,
    "gauge_batch_size": 2,
    "val_interval": 1,
    "gauge_repeats": 1,
    "embedding_width": 16,
    "spacing": [12.0, 12.0, 12.0],
}


def config_files(*names: str) -> list[str]:
    return [str(BUNDLE / "configs" / f"{name}.json") for name in names]


def places(cohort: Path, folder: Path) -> dict:
    return {
        "bundle_root": str(BUNDLE),
        "dataset_dir": str(cohort),
        "ckpt_dir": str(folder / "models"),
        "output_dir": str(folder / "eval"),
    }


def run(names: tuple[str, ...], cohort: Path, folder: Path, **options) -> ConfigWorkflow:
    """Run in this process and return the workflow, whose parts can be looked at."""
    workflow = ConfigWorkflow(
        config_file=config_files(*names), workflow_type="train", logging_file=False,
        **{**places(cohort, folder), **TINY, **options},
    )  # fmt: skip
    workflow.initialize()
    workflow.run()
    workflow.finalize()
    return workflow


def command(names: tuple[str, ...], cohort: Path, folder: Path, *, launcher: tuple[str, ...] = (), **options):
    """The command line of the same run, for a process of its own."""
    start = [sys.executable, "-m", *launcher, "-m", "monai.bundle", "run"] if launcher else [sys.executable, "-m",
             "monai.bundle", "run"]  # fmt: skip
    line = [*start, "--config_file", str(config_files(*names))]
    for key, value in {**places(cohort, folder), **TINY, **options}.items():
        line += [f"--{key}", str(value)]
    return line


def environment() -> dict[str, str]:
    repository = str(BUNDLE.parents[1])
    return {**os.environ, "PYTHONPATH": repository, "OMP_NUM_THREADS": "1"}


def finish(line: list[str], folder: Path) -> subprocess.CompletedProcess:
    """Run a command line from another working directory and return what it said."""
    folder.mkdir(parents=True, exist_ok=True)
    return subprocess.run(line, cwd=folder, env=environment(), capture_output=True, text=True, timeout=300)
