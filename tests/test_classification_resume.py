"""A killed fine-tuning goes on by itself and ends where an undisturbed one ends; two processes train together."""

import json

import pytest
import torch
from bundle_runs import assert_same_weights, finish, same_after_a_kill, weights
from classification_runs import command, run

from t3d.errors import plain_message

NAMES = ("train", "demo")
OPTIONS = {"max_epochs": 3, "freeze_epochs": 1, "layer_decay": 0.8, "dropout": 0.2}


def test_killed_and_resumed_equals_undisturbed_and_workers_change_nothing(cohort, tmp_path):
    line = command(NAMES, cohort, tmp_path / "broken", **OPTIONS, num_workers=1)
    whole, broken = same_after_a_kill(
        lambda folder: run(NAMES, cohort, folder, **OPTIONS, num_workers=0), line, tmp_path
    )
    for name in ("model_last.pt", "model.pt"):
        assert_same_weights(weights(whole, name), weights(broken, name))
    points = [json.loads((f / "models" / "thresholds.json").read_text()) for f in (whole, broken)]
    for finding, point in points[0]["findings"].items():
        assert point["threshold"] == pytest.approx(points[1]["findings"][finding]["threshold"], abs=1e-5)


def test_a_finished_run_stays_and_other_settings_are_refused(cohort, tmp_path):
    options = {"max_epochs": 1, "steps_per_epoch": 1}
    run(NAMES, cohort, tmp_path, **options)
    first = weights(tmp_path)
    run(NAMES, cohort, tmp_path, **options)
    assert all(torch.equal(first[name], tensor) for name, tensor in weights(tmp_path).items())
    for changed, words in (({"seed": 1}, "seed 0 there, 1 now"), ({"findings": ["emphysema"]}, "emphysema")):
        with pytest.raises(RuntimeError) as caught:
            run(NAMES, cohort, tmp_path, **{**options, **changed})
        assert words in plain_message(caught.value)
    assert all(torch.equal(first[name], tensor) for name, tensor in weights(tmp_path).items())


def test_two_processes_train_validate_and_leave_a_model(cohort, tmp_path, free_port):
    launcher = ("torch.distributed.run", "--nproc_per_node", "2", "--master_port", str(free_port))
    names = (*NAMES, "multi_gpu_train")
    options = {"max_epochs": 2, "steps_per_epoch": 1, "freeze_epochs": 1}
    result = finish(command(names, cohort, tmp_path, launcher=launcher, **options), tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert not any(name.startswith("module.") for name in weights(tmp_path, "model.pt"))
    points = json.loads((tmp_path / "models" / "thresholds.json").read_text())
    listed = json.loads((cohort / "datalist.json").read_text())["validation"]
    assert points["cases"] == len(listed)
