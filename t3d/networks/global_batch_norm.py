"""Standardising vectors by the statistics of the global batch, the same on one process and on many."""

import torch
from torch import Tensor, nn

from t3d.losses.gather import gather_rows


def batch_moments(vectors: Tensor, *, least: int = 2) -> tuple[Tensor, Tensor, int] | None:
    """Mean (C,), variance (C,) and number of the rows of vectors (.., C) of all processes, with their gradients.

    Args:
        vectors: of this process.
        least: None is returned for fewer rows.
    """
    rows = gather_rows(vectors.flatten(0, -2))
    if len(rows) < least:
        return None
    variance, mean = torch.var_mean(rows, dim=0, correction=0)
    return mean, variance, len(rows)


class GlobalBatchNorm(nn.Module):
    """Batch norm of vectors (.., C) without scale and shift, over the rows of all processes.

    As ``nn.SyncBatchNorm`` without its parameters, which runs on GPUs only. Gradients flow through the statistics, so
    vectors that all move to one place lose nothing of their differences.

    Args:
        width: C.
        momentum: of the running statistics that are used in evaluation.
        eps: added to the variance.
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, width: int, *, momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__()
        self.momentum, self.eps = momentum, eps
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("variance", torch.ones(width))

    def forward(self, vectors: Tensor) -> Tensor:
        """Standardised vectors (.., C), in single precision at least. One row alone takes the running statistics."""
        vectors = vectors.to(torch.promote_types(vectors.dtype, torch.float32))
        mean, variance = self.mean, self.variance
        if self.training and (found := batch_moments(vectors)):
            mean, variance, rows = found
            self._remember(mean.detach(), variance.detach() * rows / (rows - 1))
        return (vectors - mean) * torch.rsqrt(variance + self.eps)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        self.mean.lerp_(mean.to(self.mean.dtype), self.momentum)
        self.variance.lerp_(variance.to(self.variance.dtype), self.momentum)
