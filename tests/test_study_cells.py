"""What single cells leave: features, hand-overs, and results of runs read back."""

import json
import shutil

import numpy as np
import pretrain_runs
import pytest
import safetensors.torch
import torch
from bundle_runs import REPOSITORY
from monai.bundle import ConfigWorkflow

from t3d.bundle.steps import volume_steps
from t3d.data.datalist import load_datalist
from t3d.study import cells_model
from t3d.study.encoder import BODY_LEVEL, BODY_SHARE, load_pooled, read_volumes
from t3d.study.graph import _NO_STEP
from t3d.study.outcome import read_outcomes
from t3d.study.run_cell import Work
from t3d.weights import encoder_state


@pytest.fixture
def work(cohort, tmp_path):
    """A cell whose cohort is the shared one."""
    (tmp_path / "cohort").mkdir()
    settings = {"settings": {"datalist": str(cohort / "datalist.json")}}
    (tmp_path / "cohort" / "cell.json").write_text(json.dumps(settings))
    (tmp_path / "cell").mkdir()
    needs = {"cohort": tmp_path / "cohort", "encoder": tmp_path / "encoder"}
    return Work(tmp_path / "cell", {}, needs, REPOSITORY / "bundles", 1, None)


def ran(monkeypatch, folder, files):
    """Instead of a bundle's run: what it would have left."""

    def leave(bundle, names, folder, **_):
        (folder / "eval").mkdir(exist_ok=True)
        for name, text in files.items():
            (folder / "eval" / name).write_text(text)

    monkeypatch.setattr(cells_model, "bundle_run", leave)
    (folder / "models").mkdir(exist_ok=True)
    (folder / "models" / "model.json").write_text("{}")


def test_ranks_become_recall(work, cohort, monkeypatch):
    items = load_datalist(cohort / "datalist.json", "test")[:3]
    rows = [f"{item['case_id']},{rank},{rank + 2}" for item, rank in zip(items, (1.0, 4.5, 6.0), strict=True)]
    ranks = "\n".join(["case_id,report_to_volume_rank,volume_to_report_rank", *rows, ""])
    ran(monkeypatch, work.folder, {"ranks.csv": ranks})
    settings = {"stage": "pretrain", "configs": [["inference", ""]], "options": {}, "task": "retrieval"}
    cells_model.text_task_cell(work._replace(settings=settings))
    found = read_outcomes(work.folder)[0]
    assert (found.kind, found.targets) == ("recall@5", ["report_to_volume", "volume_to_report"])
    assert found.values.tolist() == [[[1, 1], [1, 0], [0, 0]]]
    assert found.patients == [item["patient_id"] for item in items]


def test_zero_shot_scores_stand_beside_their_labels(work, cohort, monkeypatch):
    items = load_datalist(cohort / "datalist.json", "test")[::-1]
    cases = [{"case_id": item["case_id"], "scores": {"cardiomegaly": n / 10}} for n, item in enumerate(items)]
    content = json.dumps({"findings": ["cardiomegaly"], "cases": cases})
    ran(monkeypatch, work.folder, {"predictions.json": content})
    settings = {"stage": "pretrain", "configs": [["inference", ""]], "options": {}, "task": "zero_shot"}
    cells_model.text_task_cell(work._replace(settings=settings))
    found = read_outcomes(work.folder)[0]
    assert found.values[0, :, 0].tolist() == [n / 10 for n in range(len(items))]
    assert found.labels[:, 0].tolist() == [item["findings"]["cardiomegaly"] for item in items]


def segmented(name, dice, lesions, false=()):
    """A case as the segmentation bundle measures it: lesions as (mm3, detected, score)."""
    return {
        "case_id": name,
        "patient_id": f"p{name}",
        "classes": {
            "liver": {"dice": dice, "surface_dice": 0.25},
            "spleen": {"dice": 0.5, "surface_dice": None},
            "tumour": {"dice": 0.1, "surface_dice": 0.1},
        },
        "lesions": {
            "tumour": {
                "lesions": [{"mm3": mm3, "detected": detected} for mm3, detected, _ in lesions],
                "false_positives": [1.0] * len(name),
            }
        },
        "scored_lesions": {
            "tumour": {
                "lesions": [{"mm3": mm3, "score": score} for mm3, _, score in lesions],
                "false_positives": list(false),
            }
        },
    }


def test_dice_and_lesions_of_a_segmentation(work, monkeypatch):
    per_case = [segmented("a", 0.9, [(5.0, True, 0.8), (7.0, False, 0.0)]), segmented("bb", None, [], [0.3, 0.9])]
    ran(monkeypatch, work.folder, {"metrics.json": json.dumps({"per_case": per_case})})
    settings = {"stage": "segmentation", "configs": [["train", ""]], "options": {}, "labels": 3}
    cells_model.fine_tuning_cell(work._replace(settings={**settings, "task": "segmentation", "test_cases": 1}))
    dice, surface, froc, share, false = read_outcomes(work.folder)
    assert dice.kind == "dice" and dice.targets == ["liver", "spleen"]  # lesions have their own measures
    assert np.array_equal(dice.values, [[[0.9, 0.5], [np.nan, 0.5]]], equal_nan=True)
    assert surface.kind == "surface_dice"
    assert np.array_equal(surface.values, [[[0.25, np.nan], [0.25, np.nan]]], equal_nan=True)
    assert share.kind == "lesion_sensitivity" and share.targets == ["tumour"]
    assert np.array_equal(share.values, [[[0.5], [np.nan]]], equal_nan=True)
    assert false.kind == "false_positives_per_case" and false.values.tolist() == [[[1.0], [2.0]]]
    assert froc.kind == "froc" and froc.values[:, :, 0].tolist() == [[0.8, 0.3], [0.0, 0.9]]
    assert froc.lesion_sizes[:, :, 0].tolist() == [[5.0, 0.0], [7.0, 0.0]]
    listed = json.loads((work.folder / "test.json").read_text())
    whole = load_datalist(json.loads((work.needs["cohort"] / "cell.json").read_text())["settings"]["datalist"], "test")
    assert [item["case_id"] for item in listed["test"]] == [whole[0]["case_id"]] and "report" not in listed["test"][0]


def test_the_encoder_of_the_oracle_is_that_of_its_training(work, trained_classification):
    shutil.copytree(trained_classification / "models", work.folder / "models")
    (work.folder / "models" / "model.pt").unlink()  # the best model may be the one before the first step
    cells_model.oracle_cell(work)
    trained = torch.load(work.folder / "models" / "model_last.pt", weights_only=True)
    handed = safetensors.torch.load_file(work.folder / "models" / "encoder.safetensors")
    assert handed and all(torch.equal(tensor, trained[name]) for name, tensor in handed.items())
    assert set(handed) == {name for name in trained if name.startswith("swinViT.")}
    load_pooled(work.folder / "models" / "encoder.safetensors", strides=[32], device=torch.device("cpu"))


def test_features_are_mean_most_and_least_over_all_tokens(cohort, classification_encoder):
    items = load_datalist(cohort / "datalist.json", "test")[:2]
    rows = read_volumes(classification_encoder, items, strides=[16, 32])
    network, prepared = load_pooled(classification_encoder, strides=[16, 32], device=torch.device("cpu"))
    steps = volume_steps({key: prepared[key] for key in ("spacing", "orientation", "hu_range")})
    for item, row in zip(items, rows, strict=True):
        volume = network._padded(steps({"case_id": "x", "image": item["image"]})["image"][0].as_tensor())
        tokens: dict[int, list] = {16: [], 32: []}
        for start in network.starts(volume):
            window = volume[tuple(slice(a, a + 32) for a in start)]
            if (window > BODY_LEVEL).float().mean() < BODY_SHARE:
                continue
            with torch.inference_mode():
                maps = network.encoder(window[None, None], strides=(16, 32))
            for stride, one in zip((16, 32), maps, strict=True):
                tokens[stride].append(one[0].flatten(1))
        whole = [torch.cat(tokens[stride], dim=1) for stride in (16, 32)]
        plain = [torch.cat([pool(one) for one in whole]) for pool in (_mean, _most, _least)]
        assert row == pytest.approx(torch.cat(plain).numpy(), abs=1e-5)


def _mean(tokens):
    return tokens.mean(dim=1)


def _most(tokens):
    return tokens.amax(dim=1)


def _least(tokens):
    return tokens.amin(dim=1)


def test_untrained_weights_are_those_of_step_0(cohort, tmp_path):
    workflow = pretrain_runs.run(("train", "demo", "vision_only"), cohort, tmp_path, seed=3, **_NO_STEP)
    restored = _restored_by_a_twin(cohort, tmp_path)
    assert restored["error_in_body"] == restored["error_in_body_no_report"] and np.isfinite(restored["error_in_body"])
    before = _fresh(cohort, tmp_path / "other")
    after = encoder_state(workflow.network_def)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in after)


def _restored_by_a_twin(cohort, folder):
    for name in ("cohort", "cell"):
        (folder / name).mkdir()
    settings = {"settings": {"datalist": str(cohort / "datalist.json")}}
    (folder / "cohort" / "cell.json").write_text(json.dumps(settings))
    asked = {"regions": {"organs": [7], "lesions": [22]}, "crops": 2, "corruption": 0.5, "test_cases": 2}
    needs = {"cohort": folder / "cohort", "encoder": folder}
    cells_model.restoration_cell(Work(folder / "cell", asked, needs, REPOSITORY / "bundles", 1, None))
    outcomes = read_outcomes(folder / "cell")
    assert all(len(one.cases) == 2 for one in outcomes)
    return {one.kind: one.values[0, 0, 0] for one in outcomes}


def _fresh(cohort, folder):
    files = pretrain_runs.config_files("train", "demo", "vision_only")
    options = {**pretrain_runs.places(cohort, folder), **pretrain_runs.RUNS.tiny, "seed": 3}
    workflow = ConfigWorkflow(config_file=files, workflow_type="train", logging_file=False, **options)
    workflow.initialize()
    return encoder_state(workflow.network_def)
