"""What a resume takes from the checkpoint and what from this run, and that nothing diverged is kept."""

import copy
import math

import pytest
import torch
from monai.optimizers import WarmupCosineSchedule

from t3d.errors import T3DError
from t3d.train.best_model import BestModel
from t3d.train.trainer import GuardedTrainer
from t3d.train.training_state import TrainingState

STEPS = 5  # per epoch


class Sampler:
    def set_epoch(self, epoch):
        self.epoch = epoch


class Rates:
    """The learning rate at the end of every epoch."""

    def __init__(self, optimizer, scheduler):
        self.optimizer, self.scheduler, self.found = optimizer, scheduler, {}

    def attach(self, engine):
        from ignite.engine import Events

        engine.add_event_handler(Events.ITERATION_COMPLETED, lambda engine: self.scheduler.step())
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.note)

    def note(self, engine):
        self.found[engine.state.epoch] = self.optimizer.param_groups[0]["lr"]


def train(
    folder, *, max_epochs, weight_decay=0.01, learning_rate=1e-3, allow=(), recipe=None, length=None, start=None
):
    """One session; returns the rates, the optimizer and the network."""
    torch.manual_seed(7)
    network = torch.nn.Linear(4, 1)
    optimizer = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=weight_decay)
    scheduler = WarmupCosineSchedule(optimizer, warmup_steps=3, t_total=(length or max_epochs) * STEPS)
    rates = Rates(optimizer, scheduler)
    generator = torch.Generator().manual_seed(0)
    data = [{"image": torch.randn(3, 4, generator=generator), "label": torch.ones(3, 1)} for _ in range(STEPS)]
    options = {"learning_rate": learning_rate, "weight_decay": weight_decay}
    state = TrainingState(
        ckpt_dir=str(folder), network=network, optimizer=optimizer, scheduler=scheduler, sampler=Sampler(),
        recipe=recipe or options, allow_changed=allow, keep=99,
    )  # fmt: skip
    trainer = GuardedTrainer(
        device=torch.device("cpu"), max_epochs=max_epochs, train_data_loader=data, epoch_length=STEPS, amp=False,
        network=network, optimizer=optimizer, loss_function=torch.nn.functional.mse_loss, decollate=False,
        train_handlers=[rates, state],
    )  # fmt: skip
    trainer.run()
    return rates.found, optimizer, network, state.recipe


def test_more_epochs_stretch_the_schedule_and_its_end_is_annealed(tmp_path):
    short, *_ = train(tmp_path / "broken", max_epochs=4)
    assert short[4] == pytest.approx(0, abs=1e-12)
    more, *_ = train(tmp_path / "broken", max_epochs=8)
    whole, *_ = train(tmp_path / "whole", max_epochs=8)
    assert list(more) == [5, 6, 7, 8]
    for epoch, rate in more.items():
        progress = (epoch * STEPS - 3) / (8 * STEPS - 3)
        assert rate == whole[epoch] == pytest.approx(1e-3 * 0.5 * (1 + math.cos(math.pi * progress)), abs=1e-15)
    assert more[5] > more[6] > more[7] > more[8] == pytest.approx(0, abs=1e-12)


def test_a_resume_with_the_same_settings_is_the_undisturbed_run(tmp_path):
    train(tmp_path / "broken", max_epochs=2, length=4)
    *_, resumed, _ = train(tmp_path / "broken", max_epochs=4)
    *_, whole, _ = train(tmp_path / "whole", max_epochs=4)
    assert torch.equal(resumed.weight, whole.weight)


def test_an_allowed_change_is_a_change(tmp_path):
    train(tmp_path, max_epochs=2)
    with pytest.raises(T3DError, match=r"weight_decay 0\.01 there, 0\.3 now"):
        train(tmp_path, max_epochs=4, weight_decay=0.3)
    rates, optimizer, _, recipe = train(
        tmp_path, max_epochs=4, weight_decay=0.3, learning_rate=5e-3, allow=["weight_decay", "learning_rate"]
    )
    assert optimizer.param_groups[0]["weight_decay"] == 0.3
    assert rates[3] == pytest.approx(5e-3 * 0.5 * (1 + math.cos(math.pi * (15 - 3) / (20 - 3))))
    saved = torch.load(tmp_path / "checkpoint_epoch=4.pt", weights_only=True)["recipe"]
    assert saved == recipe and [change["option"] for change in saved["changed_on_resume"]] == [
        "learning_rate", "weight_decay",
    ]  # fmt: skip


def test_one_name_must_be_a_list(tmp_path):
    with pytest.raises(T3DError, match=r"must be a list: --allow_changed \"\['seed'\]\""):
        train(tmp_path, max_epochs=1, allow="seed")


def test_a_short_recipe_of_0_1_goes_on(tmp_path):
    train(tmp_path, max_epochs=1, recipe={"learning_rate": 1e-3})
    rates, *_ = train(tmp_path, max_epochs=2)
    assert list(rates) == [2]


def test_a_diverged_training_keeps_the_last_good_checkpoint(tmp_path):
    train(tmp_path, max_epochs=1)
    good = torch.load(tmp_path / "checkpoint_epoch=1.pt", weights_only=True)
    with pytest.raises(T3DError, match="loss is (inf|nan) at iteration"):
        train(tmp_path, max_epochs=3, learning_rate=1e30, allow=["learning_rate"])
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint_epoch=1.pt"]
    assert all(torch.isfinite(value).all() for value in good["network"].values())


class Validation:
    def __init__(self, value):
        self.state = type("State", (), {"metrics": {"dice": value}})()


def test_the_best_model_is_finite_in_value_and_weights(tmp_path):
    network = torch.nn.Linear(2, 2)
    best = BestModel(ckpt_dir=str(tmp_path), network=network, gauge="dice")
    for value in (math.nan, -math.inf, math.inf):
        best.compare(Validation(value))
        assert best.value is None and not best.path.exists()
    best.compare(Validation(0.1))
    kept = best.path.read_bytes()
    spoilt = copy.deepcopy(network.state_dict())
    spoilt["bias"][0] = math.nan
    network.load_state_dict(spoilt)
    with pytest.raises(T3DError, match="diverged: 1 of 2 tensors"):
        best.compare(Validation(0.5))
    assert best.value == 0.1 and best.path.read_bytes() == kept


def test_a_checkpoint_of_0_1_that_diverged_is_named(tmp_path):
    train(tmp_path, max_epochs=1)
    path = tmp_path / "checkpoint_epoch=1.pt"
    content = torch.load(path, weights_only=True)
    content["network"]["bias"][:] = math.nan
    torch.save(content, path)
    with pytest.raises(T3DError, match=r"checkpoint_epoch=1\.pt holds 1 tensors .*: delete it"):
        train(tmp_path, max_epochs=2)
