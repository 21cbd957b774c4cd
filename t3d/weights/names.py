"""The names of encoder weights: from what is found in the wild to those of MONAI's segmentation networks."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from torch import Tensor

from t3d.errors import T3DError
from t3d.networks.encoders import BACKBONES, Backbone

# DataParallel / DistributedDataParallel, torch.compile, Lightning, and the networks of SuPreM
_WRAPPERS = ("module.", "_orig_mod.", "model.", "backbone.")


def encoder_name(name: str) -> str | None:
    """Return MONAI's name of a checkpoint's entry (``swinViT.*``, or ``encoder.*`` of SegResNetDS).

    None when it is no part of an encoder.
    """
    while (wrapper := next((w for w in _WRAPPERS if name.startswith(w)), None)) is not None:
        name = name.removeprefix(wrapper)
    names = (backbone.weight_name(name) for backbone in BACKBONES.values())
    return next((name for name in names if name is not None), None)


def backbone_of_weights(names: Iterable[str]) -> Backbone | None:
    """The family whose names all of these are; None where there is none."""
    names = list(names)
    fitting = (b for b in BACKBONES.values() if names and all(name.startswith(b.prefix) for name in names))
    return next(fitting, None)


def encoder_part(state: Mapping[str, Tensor], *, path: Path) -> tuple[dict[str, Tensor], list[str]]:
    """Split a state dict into its encoder under MONAI's names and the names of all other entries.

    Args:
        state: name -> tensor.
        path: the file it comes from, for the message.

    Raises:
        T3DError: a checkpoint that holds two encoders: two entries would get one name, or are of two backbones.
    """
    encoder: dict[str, Tensor] = {}
    others = []
    for name, tensor in state.items():
        target = encoder_name(name)
        if target is None:
            others.append(name)
        elif target in encoder:
            raise T3DError(
                f"{path} holds {target} twice (the second time as {name}); "
                "keep one encoder and save its state dict alone."
            )
        else:
            encoder[target] = tensor
    if encoder and backbone_of_weights(encoder) is None:
        raise T3DError(f"{path} holds encoders of two backbones; keep one of them and save its state dict alone.")
    return encoder, others
