"""Projection heads into the space where similarities are measured."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t3d.errors import T3DError
from t3d.networks.global_batch_norm import GlobalBatchNorm

HEAD_NORMS = ("batch", "none")


class ProjectionHead(nn.Module):
    """Two-layer projection onto the unit sphere, (.., C) -> (.., D) (SimCLR's head).

    Args:
        in_width: C.
        out_width: D.
        norm: "batch" standardises what comes in over the global batch; "none" does not (version 0.1). Pooled tokens of
            all crops are nearly alike at first (cosine .996), and a contrast between two heads then takes the short
            way to a loss of log(batch): within 30 steps all vectors were one (cosine 1.0000), with gradients of nearly
            0 for the rest of the training. Standardised they were told apart after 40 steps (measured on phantoms).

    Raises:
        T3DError: another norm.
    """

    def __init__(self, in_width: int, out_width: int, *, norm: str = "none") -> None:
        super().__init__()
        if norm not in HEAD_NORMS:
            raise T3DError(f"head_norm {norm!r} is unknown; choose one of {', '.join(HEAD_NORMS)}")
        self.in_width = in_width
        self.norm = GlobalBatchNorm(in_width) if norm == "batch" else nn.Identity()
        self.layers = nn.Sequential(nn.Linear(in_width, in_width), nn.GELU(), nn.Linear(in_width, out_width))

    def forward(self, pooled: Tensor) -> Tensor:
        """Return unit vectors."""
        return unit(self.layers(self.norm(pooled)))


class VolumeHead(nn.Module):
    """Projection of several statistics of a volume's tokens, (.., in_width) -> unit vectors (.., D).

    The layer norm in front brings means and extremes, which differ much in size, to one scale (ours).

    Args:
        in_width: channels of all statistics together.
        hidden: width of the layer between.
        out_width: D.
    """

    def __init__(self, in_width: int, hidden: int, out_width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(in_width), nn.Linear(in_width, hidden), nn.GELU(), nn.Linear(hidden, out_width)
        )

    def forward(self, pooled: Tensor) -> Tensor:
        """Return unit vectors."""
        return unit(self.layers(pooled))


def unit(vectors: Tensor) -> Tensor:
    """Vectors (.., D) of length 1, in single precision at least: half cannot tell close ones apart."""
    return F.normalize(vectors.to(torch.promote_types(vectors.dtype, torch.float32)), dim=-1)
