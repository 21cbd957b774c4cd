"""Gather across processes without losing the gradient."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


class _GatherWithGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, local: Tensor) -> Tensor:
        ctx.rows = local.shape[0]
        parts = [torch.empty_like(local) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, local.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        # Every process used these rows as candidates, so their owner needs the sum of all processes' gradients.
        gradient = gradient.contiguous()
        dist.all_reduce(gradient)
        start = dist.get_rank() * ctx.rows
        return gradient[start : start + ctx.rows]


def world_size() -> int:
    """Number of processes that train together (1 without torch.distributed)."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def first_row(rows: int) -> int:
    """Where this process's ``rows`` rows start in the gathered batch."""
    return dist.get_rank() * rows if world_size() > 1 else 0


def gather_rows(local: Tensor) -> Tensor:
    """Concatenate ``local`` (B, ..) of all processes along the first axis, (B * processes, ..).

    Differentiable: with a loss that each process averages over its own rows and DDP's averaging of gradients, the
    result equals one process holding the joined batch (tested). Every process must hold the same number of rows.
    """
    return _GatherWithGradient.apply(local) if world_size() > 1 else local


def other_studies(patient: Tensor) -> Tensor:
    """Which volumes of the global batch are other studies of each row's patient, (B, G) bool; the own one is not.

    Args:
        patient: (B,) integers of this process's rows, equal for studies of one patient.
    """
    everyone = gather_rows(patient)
    rows = first_row(len(patient)) + torch.arange(len(patient), device=patient.device)
    own = rows.unsqueeze(1) == torch.arange(len(everyone), device=patient.device)
    return (patient.unsqueeze(1) == everyone) & ~own
