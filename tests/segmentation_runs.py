"""Runs of the segmentation bundle as a user starts them, at a size for tests."""

import json
import sys
from pathlib import Path

from monai.bundle import ConfigWorkflow

BUNDLE = Path(__file__).resolve().parents[1] / "bundles" / "t3d_segmentation"
TINY = {"max_epochs": 2, "spacing": [12.0, 12.0, 12.0], "crops_per_case": 1, "val_interval": 1,
        "allow_absent_classes": True}  # fmt: skip
NAMES = ("train", "demo")


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
    """Run train.json and overlays in this process and return the workflow."""
    return run_files(config_files(*names), "train", {**places(cohort, folder), **TINY, **options})


def infer(cohort: Path, folder: Path, **options) -> ConfigWorkflow:
    """Run inference.json in this process."""
    return run_files(config_files("inference"), "inference", {**places(cohort, folder), **options})


def run_files(files: list[str], kind: str, options: dict) -> ConfigWorkflow:
    workflow = ConfigWorkflow(config_file=files, workflow_type=kind, logging_file=False, **options)
    workflow.initialize()
    workflow.run()
    workflow.finalize()
    return workflow


def command(names: tuple[str, ...], cohort: Path, folder: Path, *, launcher: tuple[str, ...] = (), **options):
    """The command line of the same run, for a process of its own."""
    start = [sys.executable, "-m", *launcher, "-m", "monai.bundle", "run"] if launcher else [
        sys.executable, "-m", "monai.bundle", "run"]  # fmt: skip
    line = [*start, "--config_file", str(config_files(*names))]
    tiny = TINY if names[0] == "train" else {}
    for key, value in {**places(cohort, folder), **tiny, **options}.items():
        line += [f"--{key}", str(value)]
    return line


def small_cohort(cohort: Path, folder: Path, *, training: int = 3, validation: int = 1, test: int = 2) -> Path:
    """A folder whose datalist names a few cases of a cohort."""
    lists = json.loads((cohort / "datalist.json").read_text())
    small = {
        split: [
            {**item, "image": str(cohort / item["image"]), "label": str(cohort / item["label"])}
            for item in lists[split][:count]
        ]
        for split, count in {"training": training, "validation": validation, "test": test}.items()
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "datalist.json").write_text(json.dumps(small))
    return folder
