"""Steps of the bundles' training engine on one batch that lies on the device: how long, and how often it waits."""

import time
import warnings
from collections.abc import Callable
from typing import Any

import torch
from ignite.engine import Events
from torch import Tensor, nn

from t3d.train.trainer import GuardedTrainer


class _Asked(nn.Module):
    """A network whose forward pass is one step's loss."""

    def __init__(self, network: nn.Module, loss_of: Callable[[nn.Module], Tensor]) -> None:
        super().__init__()
        self.network, self.loss_of = network, loss_of

    def forward(self, _: Tensor) -> Tensor:
        return self.loss_of(self.network)


def trainer_steps(
    network: nn.Module,
    loss_of: Callable[[nn.Module], Tensor],
    *,
    steps: int,
    late: bool,
    dtype: torch.dtype | None,
    device: str,
) -> dict[str, Any]:
    """Train an epoch of ``steps`` after one of two; milliseconds of a step, and how often a step waits for the card.

    Waits are what torch itself calls synchronizing operations; the check's own, for an event, is none of them.
    """
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    nothing = torch.zeros(1, device=device)
    marks: list[float] = []

    def mark(engine: GuardedTrainer) -> None:
        first, last = engine.state.iteration == 2, engine.state.iteration == 2 + steps
        if device == "cuda" and (first or last):
            torch.cuda.set_sync_debug_mode("default")
            torch.cuda.synchronize()
        if first or last:
            marks.append(time.perf_counter())
        if device == "cuda" and first:
            torch.cuda.set_sync_debug_mode("warn")

    trainer = GuardedTrainer(
        device=torch.device(device), max_epochs=1, epoch_length=2 + steps,
        train_data_loader=[{"image": nothing, "label": nothing}] * (2 + steps),
        network=_Asked(network, loss_of), optimizer=torch.optim.AdamW(network.parameters(), 1e-4),
        loss_function=lambda loss, _: loss, amp=dtype is not None, amp_kwargs={"dtype": dtype} if dtype else {},
        decollate=False, late=late,
    )  # fmt: skip
    trainer.add_event_handler(Events.ITERATION_COMPLETED, mark)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            trainer.run()
        finally:
            if device == "cuda":
                torch.cuda.set_sync_debug_mode("default")
    waits = sum("synchroniz" in str(warning.message) for warning in said)
    first, last = marks
    numbers: dict[str, Any] = {"step_ms": round(1000 * (last - first) / steps, 1)}
    if device == "cuda":
        numbers["waits_per_step"] = round(waits / steps, 2)
        numbers["peak_mib"] = round(torch.cuda.max_memory_allocated() / 2**20)
    return numbers
