"""A killed run goes on by itself and ends where an undisturbed one ends."""

import pytest
import torch
from bundle_runs import assert_same_weights, finish, same_after_a_kill, weights
from pretrain_runs import command, run

from t3d.errors import T3DError, plain_message
from t3d.train.training_state import TrainingState

NAMES = ("train", "demo")


def test_killed_and_resumed_equals_undisturbed(cohort, tmp_path):
    options = {"max_epochs": 3, "sentences": 0.5, "num_workers": 0}
    line = command(NAMES, cohort, tmp_path / "broken", **options)
    whole, broken = same_after_a_kill(lambda folder: run(NAMES, cohort, folder, **options), line, tmp_path)
    assert_same_weights(weights(whole), weights(broken))
    kept = sorted(path.name for path in (broken / "models").glob("checkpoint_epoch=*.pt"))
    assert kept == ["checkpoint_epoch=2.pt", "checkpoint_epoch=3.pt"]


def test_a_finished_run_is_left_as_it_is_and_goes_on_with_more_epochs(cohort, tmp_path):
    run((*NAMES, "vision_only"), cohort, tmp_path, max_epochs=1)
    first = weights(tmp_path)
    run((*NAMES, "vision_only"), cohort, tmp_path, max_epochs=1)
    again = weights(tmp_path)
    assert all(torch.equal(first[name], again[name]) for name in first)
    run((*NAMES, "vision_only"), cohort, tmp_path, max_epochs=2)
    more = weights(tmp_path)
    assert not torch.equal(first["swinViT.patch_embed.proj.weight"], more["swinViT.patch_embed.proj.weight"])
    for changed, words in (
        ({"seed": 1}, "seed 0 there, 1 now"),
        ({"feature_size": 24}, "feature_size 12 there, 24 now"),
    ):
        with pytest.raises(RuntimeError) as caught:
            run((*NAMES, "vision_only"), cohort, tmp_path, max_epochs=3, **changed)
        assert words in plain_message(caught.value)
    kept = weights(tmp_path)
    assert all(torch.equal(more[name], kept[name]) for name in more)


def test_two_processes_train_checkpoint_and_resume(cohort, tmp_path, free_port):
    launcher = ("torch.distributed.run", "--nproc_per_node", "2", "--master_port", str(free_port))
    names = (*NAMES, "multi_gpu_train")
    first = finish(command(names, cohort, tmp_path, launcher=launcher, max_epochs=1), tmp_path)
    assert first.returncode == 0, first.stdout + first.stderr
    assert [path.name for path in (tmp_path / "models").glob("checkpoint_epoch=*")] == ["checkpoint_epoch=1.pt"]
    second = finish(command(names, cohort, tmp_path, launcher=launcher, max_epochs=2), tmp_path)
    assert second.returncode == 0, second.stdout + second.stderr
    assert "going on from" in second.stdout + second.stderr
    content = torch.load(tmp_path / "models" / "checkpoint_epoch=2.pt", weights_only=True)
    assert content["epoch"] == 2
    assert not any(name.startswith("module.") for name in weights(tmp_path))


class Sampler:
    def set_epoch(self, epoch):
        self.epoch = epoch


def state(folder, network, **options):
    optimizer = torch.optim.AdamW(network.parameters())
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
    return TrainingState(
        ckpt_dir=str(folder), network=network, optimizer=optimizer, scheduler=scheduler, sampler=Sampler(),
        recipe={"seed": 0}, **options,
    )  # fmt: skip


class FakeEngine:
    def __init__(self, epoch):
        self.state = type("State", (), {"epoch": epoch, "max_epochs": 9, "epoch_length": 4, "iteration": 0})()


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    handler = state(tmp_path, torch.nn.Linear(2, 2))
    handler.save(FakeEngine(1))
    handler.save(FakeEngine(2))

    def full(content, file):
        file.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(T3DError, match="No space left"):
        handler.save(FakeEngine(3))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint_epoch=1.pt", "checkpoint_epoch=2.pt"]
    (tmp_path / ".checkpoint_epoch=3.pt.123.tmp").touch()  # what a kill amid writing leaves
    engine = FakeEngine(0)
    handler.resume(engine)
    assert (engine.state.epoch, engine.state.iteration) == (2, 8)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_damaged_checkpoint_is_named(tmp_path):
    (tmp_path / "checkpoint_epoch=4.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(T3DError, match=r"checkpoint_epoch=4\.pt cannot be read"):
        state(tmp_path, torch.nn.Linear(2, 2)).resume(FakeEngine(0))


def test_one_kept_checkpoint_is_refused(tmp_path):
    with pytest.raises(T3DError, match="2 or more"):
        state(tmp_path, torch.nn.Linear(2, 2), keep=1)
