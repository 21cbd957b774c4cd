"""Runs of the pre-training bundle at a size for tests."""

from bundle_runs import BundleRuns

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
RUNS = BundleRuns("t3d_pretrain", TINY)
BUNDLE = RUNS.bundle
config_files, places, run, infer, command = RUNS.config_files, RUNS.places, RUNS.run, RUNS.infer, RUNS.command
