"""Encoding many windows in little memory."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint


def in_chunks(encode: Callable[[Tensor], Tensor], windows: Tensor, *, chunk: int) -> Tensor:
    """Apply ``encode`` to a few windows at a time, and again in the backward pass instead of keeping what it made.

    Same values and gradients as ``encode(windows)``, if it treats windows one by one (batch norm does not). What is
    kept between the passes is its results and the insides of the last chunk, which the backward pass reaches first and
    needs not make again; so the peak is one chunk, however many windows there are, and one chunk of all windows costs
    no second pass.

    Args:
        encode: (n, ..) -> (n, ..), small.
        windows: (N, ..).
        chunk: most windows at once.

    Returns:
        (N, ..).
    """
    *parts, last = windows.split(chunk)
    again = torch.is_grad_enabled()
    done = [checkpoint(encode, part, use_reentrant=False) if again else encode(part) for part in parts]
    return torch.cat([*done, encode(last)])
