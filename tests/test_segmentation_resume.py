"""A killed fine-tuning goes on by itself and ends where an undisturbed one ends; two processes train together."""

import json

import pytest
import torch
from bundle_runs import assert_same_weights, finish, same_after_a_kill, weights
from segmentation_runs import NAMES, command, run

from t3d.errors import plain_message


def test_killed_and_resumed_equals_undisturbed_and_workers_change_nothing(few, tmp_path):
    # random crops, flips and brightness, a frozen start and every learning rate of its own
    options = {"max_epochs": 2, "flip": 0.5, "freeze_epochs": 1, "layer_decay": 0.8, "checkpoint_every": 1,
               "cache_rate": 0.5}  # fmt: skip
    line = command(NAMES, few, tmp_path / "broken", **options, num_workers=2)
    whole, broken = same_after_a_kill(lambda folder: run(NAMES, few, folder, **options, num_workers=0), line, tmp_path)
    assert_same_weights(weights(whole), weights(broken))
    records = [json.loads((folder / "models" / "model.json").read_text()) for folder in (whole, broken)]
    assert records[0]["best"]["value"] == pytest.approx(records[1]["best"]["value"], abs=1e-6)


def test_a_finished_run_is_left_as_it_is_and_other_settings_are_refused(few, tmp_path):
    run(NAMES, few, tmp_path, max_epochs=1)
    first = weights(tmp_path)
    run(NAMES, few, tmp_path, max_epochs=1)
    again = weights(tmp_path)
    assert all(torch.equal(first[name], again[name]) for name in first)
    for changed, words in (({"seed": 1}, "seed 0 there, 1 now"), ({"crop_size": 96}, "crop_size 64 there, 96 now")):
        with pytest.raises(RuntimeError) as caught:
            run(NAMES, few, tmp_path, max_epochs=2, **changed)
        assert words in plain_message(caught.value)
    kept = weights(tmp_path)
    assert all(torch.equal(first[name], kept[name]) for name in first)


def test_two_processes_train_and_validate(few, tmp_path, free_port):
    launcher = ("torch.distributed.run", "--nproc_per_node", "2", "--master_port", str(free_port))
    names = (*NAMES, "multi_gpu_train")
    options = {"max_epochs": 1, "batch_size": 1, "freeze_epochs": 1}
    result = finish(command(names, few, tmp_path, launcher=launcher, **options), tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    content = torch.load(tmp_path / "models" / "checkpoint_epoch=1.pt", weights_only=True)
    # three cases on two processes: one step, and the third case sits out this pass
    assert content["epoch"] == 1 and content["scheduler"]["last_epoch"] == 1
    assert not any(name.startswith("module.") for name in weights(tmp_path))
