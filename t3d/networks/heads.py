"""Projection heads into the space where similarities are measured."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ProjectionHead(nn.Module):
    """Two-layer projection onto the unit sphere, (.., C) -> (.., D) (SimCLR's head without batch norm)."""

    def __init__(self, in_width: int, out_width: int) -> None:
        super().__init__()
        self.in_width = in_width
        self.layers = nn.Sequential(nn.Linear(in_width, in_width), nn.GELU(), nn.Linear(in_width, out_width))

    def forward(self, pooled: Tensor) -> Tensor:
        """Return unit vectors."""
        return unit(self.layers(pooled))


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
