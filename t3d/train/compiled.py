"""torch.compile of what a training step spends its time in, in place: no weight changes its name."""

from typing import Any

import torch
from torch import Tensor, nn

from t3d.errors import T3DError
from t3d.networks.encoders import backbone_of
from t3d.networks.text_image_encoder import TextImageEncoder
from t3d.weights import unwrapped

BACKEND = "inductor"  # torch's default


def compile_in_place(network: nn.Module, *, device: torch.device | str) -> None:
    """Let a network's costly modules run compiled from their next call on, which is when they are compiled.

    Of T3D's networks that is the encoder and the restoration decoder, which are one graph each; MONAI's segmentation
    networks are compiled whole. State dicts, hooks and what saves or exports them stay as they are.

    Args:
        network: looked through DistributedDataParallel.
        device: where it runs.

    Raises:
        T3DError: torch cannot compile on this machine, or for this device.
    """
    _try(device)
    bare = unwrapped(network)
    # The chunks of windows are encoded again in the backward pass: by what encoded them first, so each size of batch
    # has its own graph. Elsewhere a second size makes one for all sizes.
    dynamic = False if isinstance(bare, TextImageEncoder) else None
    for part in _parts(bare):
        part.compile(backend=BACKEND, dynamic=dynamic)


def _parts(network: nn.Module) -> list[nn.Module]:
    found = backbone_of(network)
    if found is None or isinstance(network, found[0].segmentation):
        return [network]
    decoder = getattr(network, "decoder", None)
    return [found[1]] if decoder is None else [found[1], decoder]


def _try(device: torch.device | str) -> None:
    compiled: Any = torch.compile(_more, backend=BACKEND)
    try:
        compiled(torch.zeros(8, device=device))
    except Exception as error:  # torch raises many kinds for what a machine lacks
        what = " ".join(str(error).split())[:200]
        raise T3DError(
            f"compile is true, but torch.compile does not work on this machine ({type(error).__name__}: {what}): "
            "install a C++ compiler (and triton for a GPU), or pass --compile False"
        ) from error


def _more(values: Tensor) -> Tensor:
    return values + 1
