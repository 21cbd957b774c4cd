"""Runs of the segmentation bundle at a size for tests."""

import json
from pathlib import Path

from bundle_runs import BundleRuns

NAMES = ("train", "demo")
TINY = {
    "max_epochs": 2,
    "spacing": [12.0, 12.0, 12.0],
    "crops_per_case": 1,
    "val_interval": 1,
    "allow_absent_classes": True,
}
RUNS = BundleRuns("t3d_segmentation", TINY)
BUNDLE = RUNS.bundle
fault = RUNS.fault
config_files, places, run, infer, command = RUNS.config_files, RUNS.places, RUNS.run, RUNS.infer, RUNS.command


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
