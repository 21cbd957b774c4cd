"""The training engine: MONAI's SupervisedTrainer with accumulation and gradient clipping."""

import logging

import torch
from monai.engines import SupervisedTrainer
from monai.engines.utils import IterationEvents
from monai.utils.enums import CommonKeys as Keys
from torch import Tensor

from t3d.errors import T3DError

logger = logging.getLogger(__name__)


class ClippingTrainer(SupervisedTrainer):
    """SupervisedTrainer whose step clips gradients and may gather them over several batches.

    MONAI 1.5 has neither, 1.6 accumulates but clips only through events that do not know the scaler; so the
    iteration is ours and behaves alike on both. With accumulation each batch is contrasted on its own: the
    gradients add up, the number of candidates does not grow.

    ``state.output`` is a list of one dict, as after MONAI's decollation, so that stock handlers and
    ``--tracking mlflow`` find the loss (``from_engine("loss", first=True)``); batches stay whole.

    Args:
        clip_norm: largest norm of all gradients together; None leaves them.
        accumulate: batches per optimizer step; what is left at the end of an epoch makes a step too.
        **kwargs: as for ``SupervisedTrainer``.
    """

    def __init__(self, *, clip_norm: float | None = 1.0, accumulate: int = 1, **kwargs) -> None:
        if accumulate < 1:
            raise T3DError(f"accumulate {accumulate} must be 1 or more batches per step")
        super().__init__(**kwargs)
        self.clip_norm = clip_norm
        self.accumulate = accumulate

    def _iteration(self, engine: "ClippingTrainer", batchdata: dict[str, Tensor]) -> list[dict]:
        inputs, targets, args, kwargs = engine.prepare_batch(
            batchdata, engine.state.device, engine.non_blocking, **engine.to_kwargs
        )
        output = engine.state.output = {Keys.IMAGE: inputs, Keys.LABEL: targets}
        place = (engine.state.iteration - 1) % engine.state.epoch_length
        if place % self.accumulate == 0:
            engine.optimizer.zero_grad(set_to_none=True)

        engine.network.train()
        with torch.autocast(inputs.device.type, enabled=engine.amp, **engine.amp_kwargs):
            output[Keys.PRED] = engine.inferer(inputs, engine.network, *args, **kwargs)
            engine.fire_event(IterationEvents.FORWARD_COMPLETED)
            output[Keys.LOSS] = engine.loss_function(output[Keys.PRED], targets)
            engine.fire_event(IterationEvents.LOSS_COMPLETED)
        if not torch.isfinite(output[Keys.LOSS]):
            raise T3DError(
                f"the loss is {output[Keys.LOSS].item()} at iteration {engine.state.iteration}: lower learning_rate "
                "or check the images; the last checkpoint is good and the same command goes on from it"
            )
        scaled = engine.scaler.scale(output[Keys.LOSS]) if engine.scaler else output[Keys.LOSS]
        (scaled / self.accumulate).backward()
        engine.fire_event(IterationEvents.BACKWARD_COMPLETED)
        if (place + 1) % self.accumulate == 0 or place + 1 == engine.state.epoch_length:
            self._step(engine)
        engine.fire_event(IterationEvents.MODEL_COMPLETED)
        return [output]

    def _step(self, engine: "ClippingTrainer") -> None:
        if engine.scaler:
            engine.scaler.unscale_(engine.optimizer)
        if self.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(engine.network.parameters(), self.clip_norm)
        if engine.scaler:
            engine.scaler.step(engine.optimizer)
            engine.scaler.update()
        else:
            engine.optimizer.step()
