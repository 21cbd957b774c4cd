"""Exports at a size for tests."""

from pathlib import Path

from bundle_runs import BundleRuns

from t3d.export.command import export_bundle


def export(runs: BundleRuns, trained: Path, folder: Path, **options) -> dict:
    return export_bundle(str(runs.bundle), ckpt_dir=str(trained / "models"), out_dir=str(folder), **options)


def infer(runs: BundleRuns, cohort: Path, trained: Path, **options):
    """Run inference.json with the overlay for exported networks."""
    options = {**runs.places(cohort, trained), **options}
    return runs._run(("inference", "inference_onnx"), "inference", options)
