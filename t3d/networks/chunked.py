"""Encoding many windows in little memory."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint


def in_chunks(encode: Callable[[Tensor], Tensor], windows: Tensor, *, chunk: int) -> Tensor:
    """Apply ``encode`` to a few windows at a time, and again in the backward pass instead of keeping what it made.

    Same values and gradients as ``encode(windows)``, if it treats windows one by one (batch norm does not). What is
    kept between the passes is its results, and at the peak the insides of one chunk, however many windows there are.

    Args:
        encode: (n, ..) -> (n, ..), small.
        windows: (N, ..).
        chunk: most windows at once.

    Returns:
        (N, ..).
    """
    again = torch.is_grad_enabled()
    return torch.cat(
        [checkpoint(encode, part, use_reentrant=False) if again else encode(part) for part in windows.split(chunk)]
    )
