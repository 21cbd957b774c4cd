"""A loss or a gradient that is not finite ends a training in words; on a card without waiting for each step."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from t3d.errors import T3DError
from t3d.train.finite_weights import remedy

logger = logging.getLogger(__name__)

# The scaler halves its scale at every skipped step: from 2^16 it is below 2^-8 then, where no gradient overflows
# that is not infinite by itself.
MOST_SKIPPED = 24


@dataclass(frozen=True)
class _Step:
    """Numbers of a step that are on their way to the host.

    Attributes:
        iteration: of its last batch.
        numbers: (n + 1,), the losses of its batches and the norm of its gradients.
        arrived: when they are there; None where they are already.
    """

    iteration: int
    numbers: Tensor
    arrived: torch.cuda.Event | None

    def read(self) -> list[float]:
        if self.arrived is not None:
            self.arrived.synchronize()
        return self.numbers.tolist()


class FiniteSteps:
    """Looks at the losses and the gradient norm of every step (ours).

    At once, a step that is not finite never changes the weights. Late, it is read when the next one has been handed
    to the device, which so never waits for the host: the weights in memory are spoilt by then, nothing is written, and
    the error is the same. Whoever validates or saves asks for ``late=False`` in the step before.

    All processes see the same norm, so all stop together.
    """

    def __init__(self) -> None:
        self._waiting: _Step | None = None
        self._skipped = 0

    def start(self) -> None:
        """Forget what an earlier run left."""
        self._waiting, self._skipped = None, 0

    def look(
        self,
        losses: Sequence[Tensor],
        norm: Tensor,
        *,
        iteration: int,
        late: bool,
        may_skip: bool,
        checkpoints: Path | None,
    ) -> None:
        """Look at a step before the optimizer takes it; in late mode at the one before.

        Args:
            losses: scalars, of its batches.
            norm: scalar, of its gradients.
            iteration: of its last batch.
            late: leave it for the next call.
            may_skip: a scaler leaves out steps whose norm is not finite; ``MOST_SKIPPED`` in a row are too many.
            checkpoints: folder of the training's checkpoints, for the message.

        Raises:
            T3DError: a loss or a norm that is not finite.
        """
        step = _sent([*losses, norm], iteration)
        for ready in (self._waiting, None if late else step):
            if ready is not None:
                self._check(ready, may_skip=may_skip, checkpoints=checkpoints)
        self._waiting = step if late else None

    def _check(self, step: _Step, *, may_skip: bool, checkpoints: Path | None) -> None:
        *losses, norm = step.read()
        if all(abs(number) < float("inf") for number in (*losses, norm)):
            self._skipped = 0
            return
        for place, loss in enumerate(losses):
            if not abs(loss) < float("inf"):
                iteration = step.iteration - len(losses) + 1 + place
                raise T3DError(f"the loss is {loss} at iteration {iteration}: {remedy(checkpoints)}")
        self._skipped += 1
        if may_skip and self._skipped < MOST_SKIPPED:
            logger.info("iteration %d: gradients overflow float16, step skipped", step.iteration)
            return
        times = f" ({self._skipped} times in a row)" if self._skipped > 1 else ""
        raise T3DError(
            f"the gradients have the norm {norm} at iteration {step.iteration}{times}: {remedy(checkpoints)}"
        )


def _sent(numbers: list[Tensor], iteration: int) -> _Step:
    """Numbers on their way to the host, behind what the device has been given so far and nothing that comes later."""
    together = torch.stack(numbers)
    if not together.is_cuda:
        return _Step(iteration, together, None)
    there = together.to("cpu", non_blocking=True)  # into pinned memory; not to be read before the event
    arrived = torch.cuda.Event()
    arrived.record(torch.cuda.current_stream(together.device))
    return _Step(iteration, there, arrived)
