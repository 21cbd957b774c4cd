import copy

import pytest
import torch
from monai.engines.utils import PrepareBatchExtraInput
from monai.handlers import from_engine

from t3d.errors import T3DError
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
        optimizer=optimizer, loss_function=loss, prepare_batch=PrepareBatchExtraInput(extra_keys={}), amp=False,
        decollate=False, **options,
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
