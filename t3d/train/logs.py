"""What a run says of itself while it goes: each loss or gauge on the console and in TensorBoard."""

from collections.abc import Mapping
from typing import Any, Protocol

from ignite.engine import Engine
from monai.handlers import StatsHandler, TensorBoardStatsHandler
from torch.utils.tensorboard import SummaryWriter


class Handler(Protocol):
    """What can be attached to an engine."""

    def attach(self, engine: Engine) -> None:
        """Attach it."""


class _Both:
    handlers: list[Handler]

    def attach(self, engine: Engine) -> None:
        """Attach to the engine, after what makes the numbers."""
        for handler in self.handlers:
            handler.attach(engine)


class LossLog(_Both):
    """The loss of a training and, where the network names its parts, each part; every so many iterations.

    Args:
        writer: of TensorBoard's events.
        every: iterations from one line to the next.
    """

    def __init__(self, *, writer: SummaryWriter, every: int = 1) -> None:
        options: dict[str, Any] = {
            "iteration_log": lambda engine, event: event % every == 0,
            "output_transform": losses,
            "epoch_log": False,
        }
        self.handlers = [StatsHandler(**options), TensorBoardStatsHandler(summary_writer=writer, **options)]


class GaugeLog(_Both):
    """The metrics of each validation.

    Args:
        writer: of TensorBoard's events.
    """

    def __init__(self, *, writer: SummaryWriter) -> None:
        self.handlers = [
            StatsHandler(iteration_log=False),
            TensorBoardStatsHandler(summary_writer=writer, iteration_log=False),
        ]


def losses(output: list[dict[str, Any]]) -> dict[str, float]:
    """Of an iteration's output the loss and, where the prediction has ``losses``, those by their names."""
    prediction = output[0]["pred"]
    parts = prediction.get("losses", {}) if isinstance(prediction, Mapping) else {}
    return {"loss": output[0]["loss"].item(), **{name: value.item() for name, value in parts.items()}}
