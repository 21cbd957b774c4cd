"""Pooling tokens to crops and crops to volumes: mean, and largest and smallest value, which keep what is small."""

from collections.abc import Sequence

import torch
from torch import Tensor

from t3d.errors import T3DError

POOLINGS = ("mean", "max", "min")


class Pooling:
    """Several statistics of the same tokens beside each other.

    A lesion of two tokens among hundreds hardly moves a mean; it does move the extremes (ours).

    Args:
        kinds: out of "mean", "max" and "min", in the order of the output.

    Raises:
        T3DError: an unknown kind, one given twice, or none.
    """

    def __init__(self, kinds: Sequence[str]) -> None:
        self.kinds = (kinds,) if isinstance(kinds, str) else tuple(kinds)
        if not self.kinds or len(set(self.kinds)) < len(self.kinds) or not set(self.kinds) <= set(POOLINGS):
            raise T3DError(f"pooling {list(self.kinds)} must name some of {', '.join(POOLINGS)}, each at most once")

    def __len__(self) -> int:
        """How many statistics there are."""
        return len(self.kinds)

    def tokens(self, tokens: Tensor) -> Tensor:
        """Statistics (.., kinds * C) of tokens (.., N, C), in single precision at least."""
        exact = torch.promote_types(tokens.dtype, torch.float32)
        found = {
            "mean": lambda: tokens.mean(dim=-2, dtype=exact),
            "max": lambda: tokens.amax(dim=-2).to(exact),
            "min": lambda: tokens.amin(dim=-2).to(exact),
        }
        return torch.cat([found[kind]() for kind in self.kinds], dim=-1)

    def windows(self, pooled: Tensor, mask: Tensor | None = None) -> Tensor:
        """Statistics (B, kinds * C) over all tokens of a volume, from those of its equally large windows.

        Args:
            pooled: (B, W, kinds * C).
            mask: (B, W) bool, windows that count; None, or a row without any, counts all.
        """
        counted = counted_windows(pooled, mask).unsqueeze(-1)
        found = []
        for kind, part in zip(self.kinds, pooled.chunk(len(self), dim=-1), strict=True):
            if kind == "mean":
                found.append((part * counted).sum(dim=1) / counted.sum(dim=1))
            elif kind == "max":
                found.append(part.masked_fill(~counted, -torch.inf).amax(dim=1))
            else:
                found.append(part.masked_fill(~counted, torch.inf).amin(dim=1))
        return torch.cat(found, dim=-1)

    def single(self, tokens: Tensor) -> Tensor:
        """Statistics (.., kinds * C) of crops that have one token each, (.., C)."""
        return torch.cat([tokens] * len(self), dim=-1)


def counted_windows(pooled: Tensor, mask: Tensor | None) -> Tensor:
    """Which windows (B, W) of ``pooled`` (B, W, C) count; all of a volume that would have none."""
    if mask is None:
        return pooled.new_ones(pooled.shape[:2], dtype=torch.bool)
    return mask | ~mask.any(dim=1, keepdim=True)
