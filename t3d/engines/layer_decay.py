"""Layer-wise learning-rate decay: the deeper a stage of the encoder, the faster it may change."""

import re

from torch import nn

from t3d.errors import T3DError

_STAGE = re.compile(r"^(?:module\.)?swinViT\.layers(\d)c?\.")
STAGES = 4  # stages of the Swin transformer; the patch embedding lies below the first


def parameter_groups(
    network: nn.Module, *, learning_rate: float, layer_decay: float, weight_decay: float
) -> list[dict]:
    """Group a network's parameters for an optimizer (recipe of BEiT and MAE fine-tuning, by stage instead of block).

    What lies outside ``swinViT`` learns with ``learning_rate``, stage s of 1 to 4 with
    ``learning_rate * layer_decay ** (5 - s)``, the patch embedding with ``learning_rate * layer_decay ** 5``.

    Args:
        network: has ``swinViT`` with the names of MONAI's SwinTransformer.
        learning_rate: of the new parts.
        layer_decay: in (0, 1]; 1 gives all parts the same rate.
        weight_decay: of all groups.

    Returns:
        Groups ``{"params", "lr", "weight_decay"}`` from slow to fast, frozen parameters included (they may thaw).

    Raises:
        T3DError: ``layer_decay`` outside (0, 1], or a network without ``swinViT``.
    """
    if not 0 < layer_decay <= 1:
        raise T3DError(f"layer_decay {layer_decay} must be above 0 and at most 1; 0.7 to 0.9 are usual, 1 is off")
    depths: dict[int, list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        depths.setdefault(_depth(name), []).append(parameter)
    if set(depths) == {STAGES + 1}:
        raise T3DError(f"{type(network).__name__} has no encoder named swinViT: layer_decay does not apply to it")
    return [
        {
            "params": depths[depth],
            "lr": learning_rate * layer_decay ** (STAGES + 1 - depth),
            "weight_decay": weight_decay,
        }
        for depth in sorted(depths)
    ]


def _depth(name: str) -> int:
    """0 for the patch embedding, 1 to 4 for the encoder's stages, 5 for everything else."""
    match = _STAGE.match(name)
    if match:
        return int(match[1])
    return 0 if "swinViT." in name else STAGES + 1
