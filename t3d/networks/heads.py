"""Projection heads into the space where similarities are measured."""

import torch.nn.functional as F
from torch import Tensor, nn


class ProjectionHead(nn.Module):
    """Two-layer projection onto the unit sphere, (.., C) -> (.., D) (SimCLR's head without batch norm)."""

    def __init__(self, in_width: int, out_width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(in_width, in_width), nn.GELU(), nn.Linear(in_width, out_width))

    def forward(self, pooled: Tensor) -> Tensor:
        """Return unit vectors."""
        return F.normalize(self.layers(pooled), dim=-1)
