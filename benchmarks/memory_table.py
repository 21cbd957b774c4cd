"""What autograd keeps between forward and backward pass, per encoded crop and recipe: which recipe fits which card.

    python benchmarks/memory_table.py [--crop_size 96] [--feature_size 48]

Fake tensors: shapes alone go through the networks, so that no card and hardly any time is needed. Each storage counts
once, parameters and buffers do not. In brackets: kept once a step, whatever the number of crops (position bias). The
encoder runs as on a CPU; on a card its attention also keeps one term of bias and shift mask a block, broadcast over
the crops (at 96^3, window 7 and half precision 240 MiB for the first stage's).
"""

import sys
from collections.abc import Callable

import fire
import torch
from monai.networks.nets.swin_unetr import WindowAttention
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode

from t3d.networks import window_attention
from t3d.networks.encoders import STRIDE, build_encoder, segmentation_network
from t3d.networks.pretrain import PretrainNetwork
from t3d.networks.window_attention import FusedWindowAttention, fuse_attention

MIB = 2**20
TYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}


def kept(network: nn.Module, shape: tuple[int, ...], *, dtype: torch.dtype) -> float:
    """MiB that a forward pass over an input of a shape keeps for its backward pass."""
    mode = FakeTensorMode()
    tensors = dict((*network.named_parameters(), *network.named_buffers()))
    tensors = {name: mode.from_tensor(tensor) for name, tensor in tensors.items()}
    own = {tensor.untyped_storage()._cdata for tensor in tensors.values()}
    sizes: dict[int, int] = {}
    holds = []  # a storage that is freed could lend its address to the next

    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        holds.append(storage)
        if storage._cdata not in own:
            sizes[storage._cdata] = storage.nbytes()
        return tensor

    half = torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16)
    with mode, half, torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        torch.func.functional_call(network, tensors, (torch.rand(shape),))
    return sum(sizes.values()) / MIB


def encoder(name: str, *, stock: bool = False, **settings) -> nn.Module:
    """An encoder; ``stock`` gives it MONAI's own attention."""
    network = build_encoder(name, **settings)
    for module in network.modules() if stock else ():
        if type(module) is FusedWindowAttention:
            module.__class__ = WindowAttention
    return network


def segmentation(*, fused: bool, **settings) -> nn.Module:
    """SwinUNETR as MONAI makes it, or with its attention fused."""
    network = segmentation_network("swin", in_channels=1, out_channels=14, **settings)
    return fuse_attention(network) if fused else network


def rows(width: int) -> list[tuple[str, Callable[[], nn.Module]]]:
    """Name and network of each recipe; pairs of before and after."""
    made: list[tuple[str, Callable[[], nn.Module]]] = []
    for window in (7, 6):
        options = {"feature_size": width, "window_size": window}
        made += [
            (f"Swin encoder, window {window}, MONAI's attention", lambda o=options: encoder("swin", stock=True, **o)),
            (f"Swin encoder, window {window}, fused", lambda o=options: encoder("swin", **o)),
        ]
    options = {"feature_size": width, "window_size": 7}
    made += [
        ("Swin encoder, window 7, fused, use_checkpoint", lambda: encoder("swin", use_checkpoint=True, **options)),
        ("SegRes encoder, width 32", lambda: encoder("segres", feature_size=32)),
        ("SegRes encoder, width 32, use_checkpoint", lambda: encoder("segres", feature_size=32, use_checkpoint=True)),
        ("SwinUNETR, 14 classes, MONAI's attention", lambda: segmentation(fused=False, **options)),
        ("SwinUNETR, 14 classes, fused", lambda: segmentation(fused=True, **options)),
        ("restoration decoder of Swin", lambda: PretrainNetwork(**options, use_text=False).decoder),
    ]
    return made


def main(*, crop_size: int = 96, feature_size: int = 48) -> None:
    """Print the table."""
    window_attention.TILE_BYTES = 2**62  # one tile: what is kept is the same, and shapes are soon through
    sys.stdout.write(
        f"Crops of {crop_size}^3, Swin's width {feature_size}; MiB kept per crop, and constant in brackets\n\n"
        "| recipe | bf16 | fp32 |\n|---|---|---|\n"
    )
    for name, build in rows(feature_size):
        network = build().train()
        shape = (1, *(crop_size,) * 3)
        if name.startswith("restoration"):
            shape = (16 * feature_size, *(crop_size // STRIDE,) * 3)
        cells = []
        for dtype in TYPES.values():
            one, two = (kept(network, (count, *shape), dtype=dtype) for count in (1, 2))
            cells.append(f"{two - one:,.0f} ({2 * one - two:,.0f})")
        sys.stdout.write(f"| {name} | {' | '.join(cells)} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    fire.Fire(main)
