"""Runs of the classification bundle as a user starts them, at a size for tests."""

import sys
from pathlib import Path

from monai.bundle import ConfigWorkflow

BUNDLE = Path(__file__).resolve().parents[1] / "bundles" / "t3d_classification"
TINY = {
    "max_epochs": 2,
    "steps_per_epoch": 2,
    "batch_size": 2,
    "train_windows": 2,
    "val_interval": 1,
    "spacing": [12.0, 12.0, 12.0],
    "findings": ["cardiomegaly", "lung_nodule", "pleural_effusion"],
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
    """Train or evaluate in this process and return the workflow, whose parts can be looked at."""
    workflow = ConfigWorkflow(
        config_file=config_files(*names), workflow_type="train", logging_file=False,
        **{**places(cohort, folder), **TINY, **options},
    )  # fmt: skip
    workflow.initialize()
    workflow.run()
    workflow.finalize()
    return workflow


def infer(cohort: Path, folder: Path, **options) -> ConfigWorkflow:
    """Run inference.json in this process."""
    workflow = ConfigWorkflow(
        config_file=config_files("inference"), workflow_type="inference", logging_file=False,
        **{**places(cohort, folder), **options},
    )  # fmt: skip
    workflow.initialize()
    workflow.run()
    return workflow


def command(names: tuple[str, ...], cohort: Path, folder: Path, *, launcher: tuple[str, ...] = (), **options):
    """The command line of the same run, for a process of its own."""
    line = [sys.executable, *(("-m", *launcher) if launcher else ()), "-m", "monai.bundle", "run"]
    line += ["--config_file", str(config_files(*names))]
    for key, value in {**places(cohort, folder), **TINY, **options}.items():
        line += [f"--{key}", str(value)]
    return line
