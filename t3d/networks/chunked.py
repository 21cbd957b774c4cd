"""Encoding many crops in little memory."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

# what belongs to one part of the rows, in or out; None where a recipe has no such thing
Rows = tuple[Tensor | None, ...]


def in_chunks(encode: Callable[..., Rows], *inputs: Tensor | None, chunk: int) -> Rows:
    """Apply ``encode`` to a few rows at a time, and again in the backward pass instead of keeping what it made.

    Same values and gradients as ``encode(*inputs)``, if it treats rows one by one (batch norm does not). What is kept
    between the passes is its results and the insides of the last chunk, which the backward pass reaches first and
    needs not make again; so the peak is one chunk, however many rows there are, and one chunk of all rows costs no
    second pass.

    Args:
        encode: (n, ..), .. -> (n, ..), .., small.
        inputs: (N, ..) each; None is handed on.
        chunk: most rows at once.

    Returns:
        (N, ..) each; None where ``encode`` gives None.
    """
    rows = next(len(one) for one in inputs if one is not None)
    starts = range(0, rows, chunk)
    *parts, last = [[None if one is None else one[start : start + chunk] for one in inputs] for start in starts]
    again = torch.is_grad_enabled()
    done = [checkpoint(encode, *part, use_reentrant=False) if again else encode(*part) for part in parts]
    return tuple(map(_joined, zip(*done, encode(*last), strict=True)))


def _joined(parts: tuple[Tensor | None, ...]) -> Tensor | None:
    there = [part for part in parts if part is not None]
    return torch.cat(there) if there else None
