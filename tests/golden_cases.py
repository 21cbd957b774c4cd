"""What the golden runs train on, and with which options.

Segmentation draws its crops from random generators that run on from batch to batch at 0.1, not keyed by seed, step and
place. So its trainings here hang on no draw: every epoch is one batch of all cases, a crop is the whole padded volume,
and nothing is flipped or made brighter.
"""

import json
from pathlib import Path
from typing import Any

from bundle_runs import BundleRuns
from golden_old_files import old_model
from monai.bundle import ConfigWorkflow

from t3d.cli import main

SPACING, FINER = [8.0, 8.0, 12.0], [3.0, 8.0, 12.0]
STORE = {"spacing": [20.0, 20.0, 20.0], "batch_size": 2, "ignore_preprocessing": True}
# what differs between the two cases it has for training
STORE_OF = {"classification": {"findings": ["cardiomegaly", "emphysema", "kidney_stone"]}}
FINDINGS = ["cardiomegaly", "lung_nodule", "pleural_effusion"]
KINDS = ("raw", "prepared")
COHORTS = (*KINDS, "text_encoder")
CPU = {"amp": False, "device": "cpu"}
# learning rates are reached at once, so that a few steps change the weights by more than rounding
COMMON = {**CPU, "max_epochs": 2, "spacing": SPACING, "val_interval": 1, "warmup_steps": 1}
RUNS = {
    "pretrain": BundleRuns(
        "t3d_pretrain",
        COMMON
        | {"steps_per_epoch": 2, "batch_size": 3, "gauge_batch_size": 2, "gauge_repeats": 2, "embedding_width": 16}
        | {"sentences": 0.5, "matched_position": 0.5},
    ),
    "segmentation": BundleRuns(
        "t3d_segmentation",
        COMMON
        | {"batch_size": 2, "crops_per_case": 1, "allow_absent_classes": True, "intensity_jitter": 0.0, "flip": 0.0}
        | {"layer_decay": 0.8, "warmup_steps": 0, "checkpoint_every": 1},
    ),
    "classification": BundleRuns(
        "t3d_classification",
        COMMON
        | {"steps_per_epoch": 2, "batch_size": 2, "train_windows": 2, "findings": FINDINGS, "layer_decay": 0.8}
        | {"flip_axes": [0, 1], "freeze_epochs": 1, "pooling": "attention"},
    ),
}
STAGES = tuple(RUNS)
NAMES = {stage: ("train", "paper", "demo", "align") if stage == "pretrain" else ("train", "demo") for stage in STAGES}


def t3d(*arguments: Any) -> None:
    """Run a command of the package, in this process."""
    main([str(argument) for argument in arguments])


def make_cohorts(folder: Path) -> dict[str, Path]:
    """Ten phantoms of 64^3 voxels, raw and prepared, each with a second list of few cases; and a text encoder."""
    raw, prepared = (folder / kind for kind in KINDS)
    t3d("phantoms", "--out_dir", raw, "--cases", 10, "--seed", 11, "--shape", 64, "--nomontage")
    t3d("prepare", raw / "datalist.json", "--out_dir", prepared, "--spacing", ",".join(map(str, SPACING)))
    t3d("tiny_bert", raw / "datalist.json", "--out_dir", folder / "text_encoder")
    for cohort in (raw, prepared):
        lists = json.loads((cohort / "datalist.json").read_text())
        few = {**lists, "training": lists["training"][:2]}
        few |= {split: lists[split][:1] for split in ("validation", "test")}
        (cohort / "few.json").write_text(json.dumps(few))
    return {name: folder / name for name in COHORTS}


def options_of(stage: str, cohort: Path, folder: Path) -> dict:
    """Options of a training: the list of few cases, and the encoder of version 0.1 it starts from."""
    if stage == "pretrain":
        return {}
    if not (folder / "start").is_dir():
        old_model("pretrain", folder / "start")
    encoder = {"encoder_weights": str(folder / "start" / "models" / "encoder.safetensors")}
    return encoder | few_of(stage, cohort)


def few_of(stage: str, cohort: Path) -> dict:
    """The option that names the list of few cases, where the stage takes it."""
    return {"datalist_file": str(cohort / "few.json")} if stage == "segmentation" else {}


def start(stage: str, cohort: Path, folder: Path, **options) -> ConfigWorkflow:
    """A training that was built but not run."""
    runs = RUNS[stage]
    workflow = ConfigWorkflow(
        config_file=runs.config_files(*NAMES[stage]), workflow_type="train", logging_file=False,
        **{**runs.places(cohort, folder), **runs.tiny, **options_of(stage, cohort, folder), **options},
    )  # fmt: skip
    workflow.initialize()
    return workflow
