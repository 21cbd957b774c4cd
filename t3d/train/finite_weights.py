"""Refuses weights with NaN or infinite values, before they replace good ones on disk."""

import torch
from torch import nn

from t3d.errors import T3DError

# What a person does about a diverged training, whoever noticed it.
REMEDY = (
    "lower learning_rate or check the images; the last checkpoint is good, and the same command with another "
    "--learning_rate and --allow_changed \"['learning_rate']\" goes on from it"
)


def check_finite_weights(network: nn.Module) -> None:
    """Raise a T3DError where a parameter or buffer of a network is not finite."""
    floats = [tensor for tensor in network.state_dict().values() if tensor.is_floating_point()]
    if not floats:
        return
    finite = torch.stack([torch.isfinite(tensor).all() for tensor in floats])
    if not finite.all():
        raise T3DError(
            f"the training diverged: {int((~finite).sum())} of {len(floats)} tensors of the network hold NaN or "
            f"infinite values and are not saved; {REMEDY}"
        )
