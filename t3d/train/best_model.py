"""The weights with the highest gauge so far, kept beside the checkpoints."""

import logging
import math
from pathlib import Path

import ignite.distributed as idist
from ignite.engine import Engine, Events
from torch import nn

from t3d.errors import T3DError
from t3d.train.finite_weights import check_finite_weights
from t3d.weights import save_network

logger = logging.getLogger(__name__)


class BestModel:
    """Keeps ``model_best.pt``: the weights with the highest value of one gauge so far.

    Attach to the evaluator, after the gauges.

    Raises:
        T3DError: when validating, weights that are not finite; a Dice of 0 or a NaN would not tell. When read, a file
            that is not there any more.
    """

    def __init__(self, *, ckpt_dir: str, network: nn.Module, gauge: str = "tic_accuracy") -> None:
        self.path = Path(ckpt_dir) / "model_best.pt"
        self.network = network
        self.gauge = gauge
        self.value: float | None = None

    def attach(self, engine: Engine) -> None:
        """Attach to the evaluator."""
        engine.add_event_handler(Events.COMPLETED, self.compare)

    def compare(self, engine: Engine) -> None:
        """Save the network if the gauge is above every earlier value; one that could not be measured never is.

        That is NaN, or no value at all: of validation reports that all say the same no sentence is asked.
        """
        check_finite_weights(self.network, checkpoints=self.path.parent)
        value = engine.state.metrics.get(self.gauge, math.nan)
        if math.isnan(value):
            logger.warning("%s could not be measured, so this is no best epoch", self.gauge)
        if not math.isfinite(value) or (self.value is not None and value <= self.value):
            return
        self.value = value
        if idist.get_rank() == 0:
            save_network(self.network, self.path)

    def read(self) -> bytes:
        """The file's bytes; it must not have been deleted since it was written, in this or an earlier session."""
        if not self.path.is_file():
            raise T3DError(
                f"{self.path}, the weights with the best {self.gauge} ({self.value:.4g}), has been deleted and "
                "no model.pt was written: put it back and run the same command again, or take another --ckpt_dir"
            )
        return self.path.read_bytes()

    def state_dict(self) -> dict:
        """Return the best value so far."""
        return {"gauge": self.gauge, "value": self.value}

    def load_state_dict(self, state: dict) -> None:
        """Restore the best value so far."""
        self.value = state["value"]
