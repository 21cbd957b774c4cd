"""What is logged: every so many iterations the loss and its parts, on the console and in TensorBoard."""

import logging

import pytest
import torch
from ignite.engine import Engine
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

from t3d.train.logs import GaugeLog, LossLog

LOGGER = "monai.handlers.StatsHandler"
PARTS = {"contrast": torch.tensor(2.0), "restoration": torch.tensor(0.5)}


class Lines(logging.Handler):
    def __init__(self):
        super().__init__()
        self.said = []

    def emit(self, record):
        self.said.append(record.getMessage())


@pytest.fixture
def lines():
    """What MONAI's StatsHandler says, to a logger of its own."""
    found = Lines()
    logging.getLogger(LOGGER).addHandler(found)
    yield found.said
    logging.getLogger(LOGGER).removeHandler(found)


def run(handler, folder, *, prediction, metrics=None):
    """Scalars of five iterations with the losses 1 to 5."""

    def update(engine, batch):
        return [{"pred": prediction, "loss": torch.tensor(float(engine.state.iteration))}]

    engine = Engine(update)
    with SummaryWriter(str(folder)) as writer:
        handler(writer).attach(engine)
        engine.add_event_handler("STARTED", lambda engine: engine.state.metrics.update(metrics or {}))
        engine.run(range(5))
    events = EventAccumulator(str(folder)).Reload()
    tags = events.Tags()["scalars"]
    return {tag: [(event.step, round(event.value, 4)) for event in events.Scalars(tag)] for tag in tags}


@pytest.mark.parametrize("named", [True, False])
def test_the_loss_and_its_parts_every_second_iteration(named, tmp_path, lines):
    prediction = {"losses": PARTS} if named else torch.zeros(1, 2)
    found = run(lambda writer: LossLog(writer=writer, every=2), tmp_path, prediction=prediction)
    parts = {"contrast": [(2, 2.0), (4, 2.0)], "restoration": [(2, 0.5), (4, 0.5)]} if named else {}
    assert found == {"loss": [(2, 2.0), (4, 4.0)], **parts}
    losses = [line for line in lines if "loss" in line]
    assert [line.split(" -- ")[0] for line in losses] == [
        "Epoch: 1/1, Iter: 2/5",
        "Epoch: 1/1, Iter: 4/5",
    ]
    assert all("loss: " in line and ("contrast: 2.0000" in line) is named for line in losses)


def test_metrics_once_after_a_validation_and_nothing_of_its_iterations(tmp_path, lines):
    found = run(lambda writer: GaugeLog(writer=writer), tmp_path, prediction=None, metrics={"val_mean_dice": 0.25})
    assert found == {"val_mean_dice": [(1, 0.25)]}
    assert [line for line in lines if "val_mean_dice: 0.25" in line] and not [line for line in lines if "Iter" in line]
