import copy

import pytest
import torch
import torch.distributed as dist
from ignite.engine import Events
from monai.engines.utils import PrepareBatchExtraInput
from monai.handlers import from_engine

from t3d.errors import T3DError
from t3d.train.finite_steps import MOST_SKIPPED, FiniteSteps
from t3d.train.trainer import GuardedTrainer


def batches(count=5):
    generator = torch.Generator().manual_seed(0)
    return [{"image": torch.randn(3, 4, generator=generator), "label": torch.randn(3, 1, generator=generator)}
            for _ in range(count)]  # fmt: skip


def loss(pred, target):
    return ((pred - target) ** 2).mean()


def train(network, data, **options):
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    trainer = GuardedTrainer(
        device=torch.device("cpu"), max_epochs=1, train_data_loader=data, epoch_length=len(data), network=network,
        optimizer=optimizer, prepare_batch=PrepareBatchExtraInput(extra_keys={}), amp=False, decollate=False,
        **{"loss_function": loss, **options},
    )  # fmt: skip
    trainer.run()
    return trainer


def test_accumulation_and_clipping_equal_a_plain_loop():
    torch.manual_seed(0)
    network = torch.nn.Linear(4, 1)
    plain = copy.deepcopy(network)
    train(network, batches(), accumulate=2, clip_norm=0.3)

    optimizer = torch.optim.SGD(plain.parameters(), lr=0.1)
    clipped = []
    for group in ((0, 1), (2, 3), (4,)):  # what is left at the end of the epoch makes a step too
        optimizer.zero_grad()
        for place in group:
            batch = batches()[place]
            (loss(plain(batch["image"]), batch["label"]) / 2).backward()
        clipped.append(float(torch.nn.utils.clip_grad_norm_(plain.parameters(), 0.3)) > 0.3)
        optimizer.step()
    assert any(clipped), "nothing was clipped: the comparison would say nothing about it"
    assert torch.allclose(network.weight, plain.weight, rtol=0, atol=1e-7)
    assert torch.allclose(network.bias, plain.bias, rtol=0, atol=1e-7)


def test_a_loss_that_is_not_finite_stops_before_the_weights_change():
    network = torch.nn.Linear(4, 1)
    before = network.weight.clone()
    data = batches(2)
    data[0]["label"][0] = torch.inf
    with pytest.raises(T3DError, match="loss is inf at iteration 1"):
        train(network, data)
    assert torch.equal(network.weight, before)


def test_stock_handlers_find_the_loss():
    trainer = train(torch.nn.Linear(4, 1), batches(1))
    assert torch.isfinite(from_engine("loss", first=True)(trainer.state.output))


def test_accumulate_must_be_positive():
    with pytest.raises(T3DError, match="accumulate 0"):
        train(torch.nn.Linear(4, 1), batches(), accumulate=0)


def test_without_a_limit_the_gradients_are_left_as_they_are():
    torch.manual_seed(0)
    network = torch.nn.Linear(4, 1)
    plain = copy.deepcopy(network)
    train(network, batches(), clip_norm=None)
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.1)
    for batch in batches():
        optimizer.zero_grad()
        loss(plain(batch["image"]), batch["label"]).backward()
        optimizer.step()
    assert torch.equal(network.weight, plain.weight)


def steep(pred, target):
    """A finite loss whose gradient is not: the slope of a square root at 0."""
    return torch.sqrt(((pred - pred.detach()) ** 2).mean())


def test_gradients_that_are_not_finite_stop_before_the_weights_change():
    network = torch.nn.Linear(4, 1)
    before = network.weight.clone()
    with pytest.raises(T3DError, match="gradients have the norm nan at iteration 1: lower learning_rate"):
        train(network, batches(2), loss_function=steep)
    assert torch.equal(network.weight, before)


def test_the_batch_of_a_gathered_step_is_named():
    data = batches(4)
    data[2]["label"][0] = torch.nan
    with pytest.raises(T3DError, match="loss is nan at iteration 3"):
        train(torch.nn.Linear(4, 1), data, accumulate=2)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_numbers_that_are_read_a_step_late_change_nothing(accumulate):
    torch.manual_seed(0)
    network = torch.nn.Linear(4, 1)
    other = copy.deepcopy(network)
    train(network, batches(), accumulate=accumulate, late=False)
    train(other, batches(), accumulate=accumulate, late=True)
    assert torch.equal(network.weight, other.weight) and torch.equal(network.bias, other.bias)


@pytest.mark.parametrize("spoilt", [0, 2, 4])
@pytest.mark.parametrize(
    ("options", "words"),
    [({}, "the loss is nan at iteration {}:"), ({"accumulate": 2}, "the loss is nan at iteration {}:"),
     ({"loss_function": "steep"}, "the gradients have the norm nan at iteration {}:")],
)  # fmt: skip
def test_what_diverges_late_stops_in_the_same_words_before_an_epoch_ends(spoilt, options, words):
    """Also in its last step, behind which a checkpoint would be written."""
    data, said, ended = batches(), {}, []
    data[spoilt]["label"][0] = torch.nan
    if options.get("loss_function"):
        options = {
            "loss_function": lambda pred, target: steep(pred, target) if target.isnan().any() else loss(pred, target)
        }
    for late in (False, True):
        with pytest.raises(T3DError) as caught:
            train(torch.nn.Linear(4, 1), data, late=late, train_handlers=[Ended(ended)], **options)
        said[late] = str(caught.value)
    assert said[True] == said[False] and said[True].startswith(words.format(spoilt + 1))
    assert not ended


class Ended:
    """Notes the ends of epochs."""

    def __init__(self, noted):
        self.noted = noted

    def attach(self, engine):
        engine.add_event_handler(Events.EPOCH_COMPLETED, lambda engine: self.noted.append(engine.state.epoch))


def test_a_late_step_is_read_behind_the_next_one():
    finite, options = FiniteSteps(), {"may_skip": False, "checkpoints": None}
    good, bad = torch.tensor(0.5), torch.tensor(torch.nan)
    finite.look([good], good, iteration=1, late=True, **options)
    finite.look([bad], bad, iteration=2, late=True, **options)
    with pytest.raises(T3DError, match="loss is nan at iteration 2"):
        finite.look([good], good, iteration=3, late=True, **options)
    finite.start()  # another run in the same process
    finite.look([good], good, iteration=1, late=False, **options)


class Scaled:
    """Gives the trainer a scaler, as it has on a card in float16."""

    def __init__(self, scale):
        self.scales = [scale]

    def attach(self, engine):
        engine.add_event_handler(Events.STARTED, self.give)
        engine.add_event_handler(
            Events.ITERATION_COMPLETED, lambda engine: engine.scaler and self.scales.append(engine.scaler.get_scale())
        )

    def give(self, engine):
        engine.scaler = torch.amp.GradScaler("cpu", init_scale=self.scales[0])


@pytest.mark.parametrize("late", [False, True])  # the scaler waits for the device itself, so nothing is late
def test_a_step_that_overflows_under_the_scaler_is_skipped(late):
    torch.manual_seed(0)
    network = torch.nn.Linear(4, 1)
    plain = copy.deepcopy(network)
    data = batches(8)
    for batch in data:
        batch["label"] = batch["label"] * 16  # times 2^127 this overflows float32, until the scale is halved
    scaled = Scaled(2.0**127)
    train(network, data, train_handlers=[scaled], late=late)
    kept = [batch for batch, old, new in zip(data, scaled.scales, scaled.scales[1:], strict=False) if old == new]
    assert 1 <= len(kept) < len(data)
    train(plain, kept)
    assert torch.allclose(network.weight, plain.weight, rtol=0, atol=1e-6)


@pytest.mark.parametrize("late", [False, True])
def test_many_skipped_steps_in_a_row_stop_the_training(late):
    options = {"loss_function": steep, "train_handlers": [Scaled(1.0)], "late": late}
    with pytest.raises(T3DError, match=rf"norm nan at iteration {MOST_SKIPPED} \({MOST_SKIPPED} times in a row\)"):
        train(torch.nn.Linear(4, 1), batches(MOST_SKIPPED + 1), **options)


def test_only_float16_has_a_scaler():
    for kind, kept in ((torch.bfloat16, False), (torch.float16, True)):
        trainer = train(torch.nn.Linear(4, 1), batches(1), train_handlers=[Scaled(1.0)], amp_kwargs={"dtype": kind})
        assert (trainer.scaler is not None) is kept


def test_processes_exchange_gradients_once_per_step(tmp_path):
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        torch.manual_seed(0)
        plain = torch.nn.Linear(4, 1)
        network = torch.nn.parallel.DistributedDataParallel(copy.deepcopy(plain))
        exchanged = []

        def hook(state, bucket):
            exchanged.append(bucket.index())
            future = torch.futures.Future()
            future.set_result(bucket.buffer())
            return future

        network.register_comm_hook(None, hook)
        train(network, batches(5), accumulate=2)
        train(plain, batches(5), accumulate=2)
    finally:
        dist.destroy_process_group()
    assert len(exchanged) == 3  # two, two, and the one that is left
    assert torch.allclose(network.module.weight, plain.weight, rtol=0, atol=1e-7)
