"""The names of encoder weights: from what is found in the wild to those of MONAI's SwinUNETR."""

import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from t3d.errors import T3DError

PREFIX = "swinViT."

# DataParallel / DistributedDataParallel, torch.compile, Lightning
_WRAPPERS = ("module.", "_orig_mod.", "model.")
_ENCODER_PREFIXES = (PREFIX, "swin_vit.", "swin_ViT.")
# checkpoints for SwinUNETR.load_from name the transformer's parts without any prefix of its own
_BARE = re.compile(r"(patch_embed|layers[1-4]c?)\.")
# the names of the published Swin UNETR pre-training, before MONAI renamed its perceptron
_RENAMED = {".mlp.fc1.": ".mlp.linear1.", ".mlp.fc2.": ".mlp.linear2."}


def encoder_name(name: str) -> str | None:
    """Return the ``swinViT.*`` name of a checkpoint's entry, or None when it is no part of the encoder."""
    while (wrapper := next((w for w in _WRAPPERS if name.startswith(w)), None)) is not None:
        name = name.removeprefix(wrapper)
    prefix = next((p for p in _ENCODER_PREFIXES if name.startswith(p)), None)
    if prefix is not None:
        name = name.removeprefix(prefix)
    elif not _BARE.match(name):
        return None
    for old, new in _RENAMED.items():
        name = name.replace(old, new)
    return PREFIX + name


def encoder_part(state: Mapping[str, Tensor], *, path: Path) -> tuple[dict[str, Tensor], list[str]]:
    """Split a state dict into its encoder under MONAI's names and the names of all other entries.

    Args:
        state: name -> tensor.
        path: the file it comes from, for the message.

    Raises:
        T3DError: two entries would get one name (a checkpoint that holds two encoders).
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
    return encoder, others
