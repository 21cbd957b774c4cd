"""Cells that train or ask a network: one or two runs of a bundle each, and the features of an encoder."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from t3d.data.datalist import load_datalist
from t3d.files import read_json, write_json
from t3d.networks.encoders import build_encoder, find_backbone
from t3d.prepare.originals import original_files
from t3d.study.bundle_run import bundle_run
from t3d.study.cells_data import scores_outcome, training_cases
from t3d.study.cohort import classes_of, datalist_of
from t3d.study.encoder import read_volumes
from t3d.study.features_file import write_features
from t3d.study.guards import check_shuffled
from t3d.study.outcome import Outcome, measures, write_outcomes
from t3d.study.plan import SHUFFLED
from t3d.study.plan_tasks import ALL, TASKS
from t3d.study.restoration import restoration_outcomes
from t3d.study.segmentation_outcomes import segmentation_outcomes
from t3d.weights import load_encoder, read_encoder, save_encoder
from t3d.weights.architecture import architecture

if TYPE_CHECKING:
    from t3d.study.run_cell import Work

ENCODER = Path("models") / "encoder.safetensors"
# what is written last by a training: then it is not begun again
_ENCODER_RECORD, _MODEL_RECORD = Path("models") / "encoder.json", Path("models") / "model.json"
_REMEDY = "delete its folder and run the study again"


def pretraining_cell(work: "Work") -> None:
    """A pre-training; that of shuffled reports must have shuffled them."""
    datalist = datalist_of(work.needs["cohort"])
    if not (work.folder / _ENCODER_RECORD).is_file():
        _run(work, options={"datalist_file": str(datalist), **work.settings["options"]})
    if work.settings["arm_kind"] == SHUFFLED:
        record = read_json(work.folder / _ENCODER_RECORD, what="encoder record", remedy=_REMEDY)
        check_shuffled(record["recipe"], datalist)


def oracle_cell(work: "Work") -> None:
    """The classification bundle on all true findings; its encoder is handed over as that of a pre-training."""
    if not (work.folder / _MODEL_RECORD).is_file():
        _run(work, options={"datalist_file": _datalist(work), **work.settings["options"]})
    record = read_json(work.folder / _MODEL_RECORD, what="model record", remedy=_REMEDY)
    # the best model of that bundle may be the one before its first step; like the other arms, after the last one
    weights = work.folder / "models" / "model_last.pt"
    settings = architecture(read_encoder(weights)[0])
    family = find_backbone(settings.pop("backbone"))
    settings.pop("patch_size", None)
    holder = nn.Module()
    holder.add_module(family.attribute, build_encoder(family.name, **settings))
    load_encoder(holder, weights)
    known: dict[str, Any] = {key: record[key] for key in ("preprocessing", "recipe", "amp_dtype") if key in record}
    save_encoder(holder, work.folder / "models", record=known)


def features_cell(work: "Work") -> None:
    """Features of the labelled part of the training list and of the test list."""
    training, test = (load_datalist(_datalist(work), split, need_report=False) for split in ("training", "test"))
    items = [*training[: work.settings["pool"]], *test]
    features = read_volumes(work.needs["encoder"] / ENCODER, items, strides=work.settings["strides"])
    write_features(work.folder, [item["case_id"] for item in items], features)


def fine_tuning_cell(work: "Work") -> None:
    """Train with a budget of labels, then measure the test list."""
    labels = work.settings["labels"]
    share = 1.0 if labels == ALL else min(1.0, labels / training_cases(work.needs["cohort"]))
    options: dict[str, Any] = {"datalist_file": _datalist(work), "label_fraction": share}
    if "encoder" in work.needs:
        options["encoder_weights"] = str(work.needs["encoder"] / ENCODER)
    classes = classes_of(work.needs["cohort"])
    if work.settings["stage"] == "segmentation" and classes is not None:
        write_json(work.folder / "labels.json", classes)
        options["labels_file"] = str(work.folder / "labels.json")
    options |= work.settings["options"]
    if not (work.folder / _MODEL_RECORD).is_file():
        _run(work, options=options)
    if "test_cases" in work.settings:
        options["datalist_file"] = _few_test_cases(work)
    if "tolerance_mm" in work.settings:
        options["tolerance_mm"] = work.settings["tolerance_mm"]
    _run(work, "evaluate", options={**options, "overwrite": True})
    metrics = read_json(work.folder / "eval" / "metrics.json", what="evaluation", remedy=_REMEDY)
    read = _findings if work.settings["task"] == "findings" else segmentation_outcomes
    write_outcomes(work.folder, *read(metrics["per_case"]))


def text_task_cell(work: "Work") -> None:
    """Findings or reports of the test list asked for in words."""
    datalist = datalist_of(work.needs["cohort"])
    options = {
        "datalist_file": str(datalist),
        "dataset_dir": str(datalist.parent),
        "ckpt_dir": str(work.needs["encoder"] / "models"),
        "split": "test",
        "overwrite": True,
        **work.settings["options"],
    }
    prompts = work.settings.get("prompts")
    if prompts is not None:
        write_json(work.folder / "prompts.json", {"findings": prompts})
        options["prompts_file"] = str(work.folder / "prompts.json")
    _run(work, options=options)
    items = {item["case_id"]: item for item in load_datalist(datalist, "test", need_report=False)}
    if work.settings["task"] == "zero_shot":
        found = read_json(work.folder / "eval" / "predictions.json", what="prediction", remedy=_REMEDY)
        names = found["findings"]
        scores = np.array([[[case["scores"][name] for name in names] for case in found["cases"]]])
        outcome = [scores_outcome(scores, [items[case["case_id"]] for case in found["cases"]], names)]
    else:
        with open(work.folder / "eval" / "ranks.csv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        ways = ["report_to_volume", "volume_to_report"]
        cases = [row["case_id"] for row in rows]
        patients = [items[case]["patient_id"] for case in cases]
        ranks = [[float(row[f"{way}_rank"]) for way in ways] for row in rows]
        outcome = [
            measures(f"recall@{k}", [[float(rank <= k) for rank in one] for one in ranks], cases, patients, ways)
            for k in work.settings.get("recall_at", TASKS["retrieval"]["recall_at"])
        ]
    write_outcomes(work.folder, *outcome)


def restoration_cell(work: "Work") -> None:
    """Corrupted crops of the test list, restored by the network of a pre-training."""
    datalist = _datalist(work)
    items = original_files(load_datalist(datalist, "test", need_report=False), datalist)
    outcomes = restoration_outcomes(
        work.needs["encoder"] / "models",
        items[: work.settings["test_cases"]],
        settings={key: work.settings[key] for key in ("regions", "crops", "corruption")},
        cache_dir=work.folder / "report_features",
    )
    write_outcomes(work.folder, *outcomes)


def _run(work: "Work", *more: str, options: dict[str, Any]) -> None:
    names = [name for name, _ in work.settings["configs"]]
    bundle = work.bundles / f"t3d_{work.settings['stage']}"
    keep = () if work.lock is None else (work.lock,)
    file = f"options{''.join(f'_{name}' for name in more)}.json"
    bundle_run(bundle, [*names, *more], work.folder, options=options, file=file, keep_open=keep)


def _few_test_cases(work: "Work") -> str:
    """A list of the first test cases alone, for what takes long to measure."""
    whole = _datalist(work)
    items = original_files(load_datalist(whole, "test", need_report=False), whole)[: work.settings["test_cases"]]
    kept = ("case_id", "patient_id", "image", "label")
    few = [{key: item[key] for key in kept if key in item} for item in items]
    write_json(work.folder / "test.json", {"test": few})
    return str(work.folder / "test.json")


def _datalist(work: "Work") -> str:
    return str(datalist_of(work.needs["cohort"]))


def _findings(per_case: list[dict]) -> list[Outcome]:
    names = list(per_case[0]["scores"])
    scores = np.array([[[case["scores"][name] for name in names] for case in per_case]])
    items = [{**case, "findings": case["labels"]} for case in per_case]
    return [scores_outcome(scores, items, names)]
