"""The training engine of the three bundles: MONAI's SupervisedTrainer with steps of our own."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Events
from monai.engines import SupervisedTrainer
from monai.engines.utils import IterationEvents
from monai.utils.enums import CommonKeys as Keys
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from t3d.errors import T3DError
from t3d.train.bfloat16_on_cpu import CheckBfloat16
from t3d.train.compiled import compile_in_place
from t3d.train.finite_steps import FiniteSteps


class GuardedTrainer(SupervisedTrainer):
    """SupervisedTrainer that steps only on finite numbers, clips gradients and may gather them over several batches.

    MONAI 1.5 does none of it, 1.6 accumulates but clips only through events that do not know the scaler; so the
    iteration is ours and behaves alike on both. With accumulation each batch is contrasted on its own: the
    gradients add up, the number of candidates does not grow. DistributedDataParallel gathers the gradients of the
    processes once per step, not once per batch.

    A loss that is not finite stops the training before the weights change, and so does the norm of the gradients.
    On a card the two numbers of a step are read when the next one has been handed over, so that the card never waits;
    those of an epoch's last step at once, before anything is validated or saved. The weights in memory are spoilt by
    then, those on disk never; the sentence is the same.
    In float16 the scaler tries how large a scale may be: there a norm that is not finite is a skipped step, and
    ``MOST_SKIPPED`` in a row stop the training. It waits for each step itself, so nothing is late. Other types need no
    scaler and get none.

    ``state.output`` is a list of one dict, as after MONAI's decollation, so that stock handlers and
    ``--tracking mlflow`` find the loss (``from_engine("loss", first=True)``); batches stay whole, so ``decollate``
    must be False.

    Args:
        clip_norm: largest norm of all gradients together; None leaves them.
        accumulate: batches per optimizer step; what is left at the end of an epoch makes a step too.
        late: whether a step's numbers are read one step later; None does so on a card.
        compile: whether the network is compiled, see ``compile_in_place``; not MONAI's, which renames the weights.
        **kwargs: as for ``SupervisedTrainer``.

    Raises:
        T3DError: ``accumulate`` below 1; when running, a training that diverged.
    """

    # the folder where TrainingState keeps them; it is attached while SupervisedTrainer is still being made
    checkpoints: Path | None = None

    def __init__(
        self,
        *,
        clip_norm: float | None = 1.0,
        accumulate: int = 1,
        late: bool | None = None,
        compile: bool = False,
        **kwargs: Any,
    ) -> None:
        if accumulate < 1:
            raise T3DError(f"accumulate {accumulate} must be 1 or more batches per step")
        if clip_norm is not None and not clip_norm > 0:
            raise T3DError(f"clip_norm {clip_norm} must be above 0, or None to leave the gradients as they are")
        super().__init__(**kwargs)
        self.clip_norm = float("inf") if clip_norm is None else clip_norm
        self.accumulate = accumulate
        self.late = torch.device(self.state.device).type == "cuda" if late is None else late
        self._losses: list[Tensor] = []  # of the step that is being gathered
        self._finite = FiniteSteps()
        self.add_event_handler(Events.STARTED, lambda _: self._finite.start())
        self.add_event_handler(Events.STARTED, self._keep_scaler_for_float16)
        on_cpu = torch.device(self.state.device).type == "cpu"
        watched = self.amp and self.amp_kwargs.get("dtype") == torch.bfloat16 and on_cpu
        if watched:
            CheckBfloat16(self.network).attach(self)
        self._to_compile = compile
        # what is watched in the first step runs as it is written
        self.add_event_handler(Events.ITERATION_COMPLETED if watched else Events.STARTED, self._compile)

    @staticmethod
    def _compile(engine: "GuardedTrainer") -> None:
        if engine._to_compile:
            engine._to_compile = False
            compile_in_place(engine.network, device=engine.state.device)

    @staticmethod
    def _keep_scaler_for_float16(engine: "GuardedTrainer") -> None:
        if engine.amp_kwargs.get("dtype", torch.float16) != torch.float16:
            engine.scaler = None

    # MONAI declares one dict, and takes what decollating makes of it: a list
    def _iteration(  # type: ignore[override]
        self, engine: "GuardedTrainer", batchdata: dict[str, Tensor]
    ) -> list[dict]:
        inputs, targets, *extra = engine.prepare_batch(
            batchdata, engine.state.device, engine.non_blocking, **engine.to_kwargs
        )
        args, kwargs = extra or ((), {})
        output = engine.state.output = {Keys.IMAGE: inputs, Keys.LABEL: targets}
        place = (engine.state.iteration - 1) % engine.state.epoch_length
        ends_epoch = place + 1 == engine.state.epoch_length
        steps_now = (place + 1) % self.accumulate == 0 or ends_epoch
        if place % self.accumulate == 0:
            engine.optimizer.zero_grad(set_to_none=True)
            self._losses.clear()

        engine.network.train()
        with nullcontext() if steps_now else _unsynchronised(engine.network):
            with torch.autocast(inputs.device.type, enabled=engine.amp, **engine.amp_kwargs):
                output[Keys.PRED] = engine.inferer(inputs, engine.network, *args, **kwargs)
                engine.fire_event(IterationEvents.FORWARD_COMPLETED)
                output[Keys.LOSS] = engine.loss_function(output[Keys.PRED], targets)
                engine.fire_event(IterationEvents.LOSS_COMPLETED)
            self._losses.append(output[Keys.LOSS].detach().as_subclass(Tensor))
            scaled = engine.scaler.scale(output[Keys.LOSS]) if engine.scaler else output[Keys.LOSS]
            (scaled / self.accumulate).backward()
        engine.fire_event(IterationEvents.BACKWARD_COMPLETED)
        if steps_now:
            self._step(engine, late=self.late and not ends_epoch)
        engine.fire_event(IterationEvents.MODEL_COMPLETED)
        return [output]

    def _step(self, engine: "GuardedTrainer", *, late: bool) -> None:
        if engine.scaler:
            engine.scaler.unscale_(engine.optimizer)
        norm = torch.nn.utils.clip_grad_norm_(engine.network.parameters(), self.clip_norm)
        scaled = bool(engine.scaler and engine.scaler.is_enabled())
        self._finite.look(
            self._losses, norm, iteration=engine.state.iteration, late=late and not scaled, may_skip=scaled,
            checkpoints=self.checkpoints,
        )  # fmt: skip
        if engine.scaler:
            engine.scaler.step(engine.optimizer)
            engine.scaler.update()
        else:
            engine.optimizer.step()


def _unsynchronised(network: torch.nn.Module) -> AbstractContextManager:
    return network.no_sync() if isinstance(network, DistributedDataParallel) else nullcontext()
