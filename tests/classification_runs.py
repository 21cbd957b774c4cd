"""Runs of the classification bundle at a size for tests."""

from bundle_runs import BundleRuns

NAMES = ("train", "demo")
TINY = {
    "max_epochs": 2,
    "steps_per_epoch": 2,
    "batch_size": 2,
    "train_windows": 2,
    "val_interval": 1,
    "spacing": [12.0, 12.0, 12.0],
    "pooling": "attention",
    "findings": ["cardiomegaly", "lung_nodule", "pleural_effusion"],
}
RUNS = BundleRuns("t3d_classification", TINY)
BUNDLE = RUNS.bundle
fault = RUNS.fault
config_files, places, run, infer, command = RUNS.config_files, RUNS.places, RUNS.run, RUNS.infer, RUNS.command
