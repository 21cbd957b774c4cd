"""Refuses weights with NaN or infinite values, before they replace good ones on disk."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from t3d.errors import T3DError
from t3d.train.checkpoint_files import checkpoint_files


def spoilt(state: Mapping[str, Tensor]) -> tuple[int, int]:
    """How many of a state dict's floating-point tensors hold a NaN or infinite value, and how many there are."""
    floats = [tensor for tensor in state.values() if tensor.is_floating_point()]
    finite = [torch.isfinite(tensor).all() for tensor in floats]
    return (len(floats) - int(torch.stack(finite).sum()) if floats else 0), len(floats)


def remedy(checkpoints: Path | None) -> str:
    """What a person does about a diverged training, whoever noticed it.

    Args:
        checkpoints: the folder of its checkpoints, where it keeps any; before the first one nothing can be gone on
            from.
    """
    if checkpoints is None or not checkpoint_files(checkpoints):
        return "lower learning_rate or check the images, and start again: there is no checkpoint yet to go on from"
    return (
        "lower learning_rate or check the images; the last checkpoint is good, and the same command with another "
        "--learning_rate and --allow_changed \"['learning_rate']\" goes on from it"
    )


def check_finite_weights(network: nn.Module, *, checkpoints: Path) -> None:
    """Raise a T3DError where a parameter or buffer of a network is not finite; see `remedy` for the folder."""
    bad, known = spoilt(network.state_dict())
    if bad:
        raise T3DError(
            f"the training diverged: {bad} of {known} tensors of the network hold NaN or infinite values and are not "
            f"saved; {remedy(checkpoints)}"
        )
