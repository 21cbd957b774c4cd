"""What autograd keeps between forward and backward pass, per encoded crop and per step: which recipe fits which card.

    python benchmarks/memory_table.py encoders [--crop_size 96] [--feature_size 48]
    python benchmarks/memory_table.py steps [--crop_size 96] [--feature_size 48]

Fake tensors: shapes alone go through the networks, so that no card and hardly any time is needed. Each storage counts
once, parameters and buffers do not. In brackets: kept once a step, whatever the number of crops (position bias). The
encoder keeps what it keeps on a CPU whose windows are large; on a card its attention also keeps one term of bias and
shift mask a block, broadcast over the crops (at 96^3, window 7 and half precision 240 MiB for the first stage's).
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import fire
import torch
from batch_memory import Volumes
from monai.networks.nets.swin_unetr import WindowAttention
from pretrain_steps import RECIPES, Recipe, batch_of, build, step_loss
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode

from t3d.networks import window_attention
from t3d.networks.encoders import build_encoder, segmentation_network
from t3d.networks.fitting_window import PUBLISHED, fitting_window
from t3d.networks.window_attention import FusedWindowAttention, fuse_attention

MIB = 2**20
TYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}
CARDS = (16, 24, 40, 80)  # GiB


class Whole(nn.Module):
    """A network and its loss as one call, so that fake parameters can be put into both."""

    def __init__(self, network: nn.Module, loss: Callable[[nn.Module, dict[str, Tensor]], Tensor]) -> None:
        super().__init__()
        self.network, self.loss = network, loss

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """The loss of a step."""
        return self.loss(self.network, inputs)


class Windows(nn.Module):
    """What a pre-training network does with a chunk of text windows."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, windows: Tensor) -> Tensor:
        """Pooled features of windows."""
        return self.network.window_features(windows)[1]


@contextmanager
def counting(own: set[int], sizes: dict[int, int]) -> Iterator[None]:
    """Write the bytes of each storage that is saved for a backward pass into ``sizes``, those of ``own`` aside."""
    holds = []  # a storage that is freed could lend its address to the next

    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        holds.append(storage)
        if storage._cdata not in own:
            sizes[storage._cdata] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        yield


def kept(network: nn.Module, make: Callable[[], Any], *, dtype: torch.dtype) -> float:
    """MiB that a forward pass over an input, made by ``make``, keeps for its backward pass."""
    mode = FakeTensorMode()
    tensors = dict((*network.named_parameters(), *network.named_buffers()))
    tensors = {name: mode.from_tensor(tensor) for name, tensor in tensors.items()}
    own = {tensor.untyped_storage()._cdata for tensor in tensors.values()}
    sizes: dict[int, int] = {}
    half = torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16)
    with mode, half, counting(own, sizes):
        made = torch.func.functional_call(network, tensors, (make(),))
        del made
    return sum(sizes.values()) / MIB


def grown(
    network: nn.Module, make: Callable[[int], Any], *, dtype: torch.dtype, first: int = 1
) -> tuple[float, float]:
    """MiB kept per crop or volume, and once: from two numbers of them."""
    one, two = (kept(network, lambda n=n: make(n), dtype=dtype) for n in (first, first + 1))
    return two - one, one - first * (two - one)


def encoder(name: str, *, stock: bool = False, **settings: Any) -> nn.Module:
    """An encoder; ``stock`` gives it MONAI's own attention."""
    network = build_encoder(name, **settings)
    for module in network.modules() if stock else ():
        if type(module) is FusedWindowAttention:
            module.__class__ = WindowAttention
    return network


def segmentation(*, fused: bool, **settings: Any) -> nn.Module:
    """SwinUNETR as MONAI makes it, or with its attention fused."""
    network = segmentation_network("swin", in_channels=1, out_channels=14, **settings)
    return fuse_attention(network) if fused else network


def encoders(*, crop_size: int = 96, feature_size: int = 48) -> None:
    """Print what encoders and segmentation networks keep per crop; pairs of before and after."""
    fuse_at_once()
    made: list[tuple[str, Callable[[], nn.Module]]] = []
    fitting = fitting_window(crop_size)
    for window in sorted({PUBLISHED, fitting}, reverse=True):
        options = {"feature_size": feature_size, "window_size": window}
        made += [
            (f"Swin encoder, window {window}, MONAI's attention", lambda o=options: encoder("swin", stock=True, **o)),
            (f"Swin encoder, window {window}, fused", lambda o=options: encoder("swin", **o)),
        ]
    options = {"feature_size": feature_size, "window_size": fitting}
    made += [
        (f"Swin encoder, window {fitting}, use_checkpoint", lambda: encoder("swin", use_checkpoint=True, **options)),
        ("SegRes encoder, width 32", lambda: encoder("segres", feature_size=32)),
        ("SegRes encoder, width 32, use_checkpoint", lambda: encoder("segres", feature_size=32, use_checkpoint=True)),
        (f"SwinUNETR, 14 classes, window {fitting}, MONAI's attention", lambda: segmentation(fused=False, **options)),
        (f"SwinUNETR, 14 classes, window {fitting}, fused", lambda: segmentation(fused=True, **options)),
    ]
    write(
        f"Crops of {crop_size}^3, Swin's width {feature_size}; MiB kept per crop, and constant in brackets\n\n"
        "| network | bf16 | fp32 |\n|---|---|---|"
    )

    def crops(count: int) -> Tensor:
        return torch.rand(count, 1, *(crop_size,) * 3)

    for name, make in made:
        network = make().train()
        rows = [grown(network, crops, dtype=dtype) for dtype in TYPES.values()]
        write(f"| {name} | " + " | ".join(f"{each:,.0f} ({once:,.0f})" for each, once in rows) + " |")


def fuse_at_once() -> None:
    """Attention as on a card: fused at every size, and in one tile, which keeps the same and is soon through."""
    window_attention.LEAST_TOKENS, window_attention.TILE_BYTES = 0, 2**62


def step_rows() -> list[tuple[str, Recipe, dict[str, Any]]]:
    """Name, recipe and further settings of each row."""
    recomputed = {"use_checkpoint": True}
    return [
        *((name, recipe, {}) for name, recipe in RECIPES.items()),
        ("T3D, window 7", RECIPES["T3D"], {"window_size": PUBLISHED}),
        ("T3D, use_checkpoint", RECIPES["T3D"], recomputed),
        ("T3D, SegRes, use_checkpoint", RECIPES["T3D, SegRes"], recomputed),
        ("T3D, paper.json, use_checkpoint", RECIPES["T3D, paper.json"], recomputed),
    ]


def steps(
    *, crop_size: int = 96, feature_size: int = 48, batch: int = 8, text_chunk: int = 4, view_chunk: int = 16
) -> None:
    """Print what a training step of each recipe keeps in bf16, and the largest batch that each card takes.

    The peak of a step is what one chunk of its views keeps, one chunk of text windows made again for its backward
    pass, inputs, what further volumes leave of their views, and parameters with gradients and both moments of AdamW.
    """
    fuse_at_once()
    write(
        f"Crops of {crop_size}^3, width {feature_size}, bf16, {view_chunk} crops of views at once; MiB. Batches are "
        "volumes.\n\n"
        f"| recipe | encoded crops a volume | kept per view | further volume | a chunk of {text_chunk} windows | "
        f"weights | peak at batch {batch} | {4 * batch} | largest batch on {' / '.join(map(str, CARDS))} GB |\n"
        "|---|---|---|---|---|---|---|---|---|"
    )
    for name, recipe, settings in step_rows():
        views = replace(recipe, windows=0)

        def of_views(chunk: int, views: Recipe = views, settings: dict[str, Any] = settings) -> tuple[float, float]:
            more = settings if views.stock else {**settings, "view_chunk": chunk}
            return grown(
                Whole(build(views, size=crop_size, width=feature_size, **more).train(), step_loss(views)),
                lambda n: batch_of(views, batch=n, size=crop_size),
                dtype=torch.bfloat16,
                first=2,
            )

        network = build(recipe, size=crop_size, width=feature_size, **settings).train()
        each, once = of_views(2**20)
        left = each if recipe.stock else of_views(1)[0]
        at_once = 1 if recipe.stock else max(1, view_chunk // views.crops)  # volumes; stock has no chunks
        chunk = 0.0
        if recipe.windows:
            sides = (crop_size,) * 3
            chunk = kept(Windows(network), lambda s=sides: torch.rand(text_chunk, 1, *s), dtype=torch.bfloat16)
        with FakeTensorMode():
            inputs = batch_of(recipe, batch=1, size=crop_size).values()
            taken = sum(tensor.untyped_storage().nbytes() for tensor in inputs) / MIB
        weights = 16 * sum(parameter.numel() for parameter in network.parameters()) / MIB
        volumes = Volumes(fixed=once + chunk + weights, each=each, left=left + taken, taken=taken, at_once=at_once)
        room = [volumes.most(1024 * card) for card in CARDS]
        write(
            f"| {name} | {recipe.crops} | {each / views.crops:,.0f} | {volumes.left:,.0f} | {chunk:,.0f} | "
            f"{weights:,.0f} | {volumes.peak(batch):,.0f} | {volumes.peak(4 * batch):,.0f} | "
            f"{' / '.join(map(str, room))} |"
        )


def write(line: str) -> None:
    """A line, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    fire.Fire({"encoders": encoders, "steps": steps})
