"""Step time and memory of the 96^3 recipes on one CUDA card, beside stock Swin UNETR pre-training, as JSON lines.

    python benchmarks/gpu_steps.py OUT.jsonl [--seconds 150] [--crop_size 96] [--feature_size 48] [--device cuda]
    .. [--most_volumes 2] [--steps 2] [--shape 64,64,64]: a rehearsal on a CPU

Each row is one recipe on random crops: median time of a training step (forward, backward, clipped AdamW), peak of
allocated memory, and what autograd keeps between forward and backward per encoded crop. The most important rows come
first; after the given seconds no further one is started. A row that fails says why (out of memory is a result).
"""

import gc
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fire
import torch
from monai.inferers import SlidingWindowInferer
from monai.losses import DiceCELoss
from monai.networks.nets import SwinUNETR
from pretrain_steps import RECIPES, batch_of, build, step_loss
from torch import Tensor, nn
from trainer_steps import trainer_steps

from t3d.networks.fitting_window import fitting_window
from t3d.networks.window_attention import fuse_attention
from t3d.train import compiled

MIB = 2**20
LEAST = 64  # crops of networks that normalise their deepest map, which must have more than one voxel
TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": None}


def pretraining(name: str) -> Callable:
    """A builder of the network and one step's loss of a recipe of ``pretrain_steps``."""
    recipe = RECIPES[name]

    def made(batch: int, size: int, width: int, device: str, **network: Any) -> tuple[nn.Module, Callable]:
        if recipe.stock:
            size = max(size, LEAST)
        if "feature_size" in recipe.network:  # of another encoder, as much smaller in a rehearsal
            network["feature_size"] = recipe.network["feature_size"] * width // 48
        net = build(recipe, size=size, width=width, **network).to(device)
        inputs, loss_of = batch_of(recipe, batch=batch, size=size, device=device), step_loss(recipe)
        return net, lambda model: loss_of(model, inputs)

    return made


def segmentation(batch: int, size: int, width: int, device: str, **network) -> tuple[nn.Module, Callable]:
    """The segmentation bundle's network and loss on crops with 14 classes."""
    size = max(size, LEAST)
    options = {"window_size": fitting_window(size), **network}
    net = fuse_attention(SwinUNETR(in_channels=1, out_channels=14, feature_size=width, **options)).to(device)
    image = torch.rand(batch, 1, size, size, size, device=device)
    label = torch.randint(0, 14, (batch, 1, size, size, size), device=device)
    criterion = DiceCELoss(include_background=False, to_onehot_y=True, softmax=True)
    return net, lambda model: criterion(model(image), label)


PLAIN, STOCK = "T3D without text windows", "stock Swin UNETR"
KINDS = {
    **{name: (pretraining(name), recipe.crops) for name, recipe in RECIPES.items()},
    "segmentation": (segmentation, 1),
}
# (kind, batch, type, network options, what else): "compiled", or "trainer" and when its checks are read
ROWS = [
    ("T3D", 8, "bf16", {}, ""),
    (PLAIN, 8, "bf16", {}, ""),
    (STOCK, 8, "bf16", {}, ""),
    (f"{STOCK}, window 7", 8, "bf16", {}, ""),
    ("T3D", 8, "bf16", {"text_chunk": 64}, ""),
    ("T3D, 32 text windows", 8, "bf16", {}, ""),
    ("T3D", 8, "bf16", {}, "trainer, checks a step late"),
    ("T3D", 8, "bf16", {}, "trainer, checks at once"),
    ("T3D, SegRes", 8, "bf16", {}, ""),
    ("T3D, SegRes", 8, "bf16", {"stem_stride": 4}, ""),
    ("T3D", 32, "bf16", {}, ""),
    ("T3D", 8, "bf16", {"view_chunk": 4}, ""),
    ("segmentation", 4, "bf16", {}, ""),
    ("T3D, paper.json", 2, "bf16", {}, ""),
    ("T3D, SegRes", 8, "bf16", {}, "compiled"),
    ("T3D", 8, "bf16", {"use_checkpoint": True}, ""),
    ("T3D", 8, "fp16", {}, ""),
    ("T3D", 16, "bf16", {"text_chunk": 64, "view_chunk": 32}, ""),
    (PLAIN, 8, "fp32", {}, ""),
    ("T3D, SegRes", 8, "bf16", {"use_checkpoint": True}, ""),
    ("T3D's vision-only twin", 8, "bf16", {}, ""),
    ("segmentation", 4, "fp16", {}, ""),
    ("segmentation", 4, "bf16", {"use_checkpoint": True}, ""),
    (PLAIN, 8, "bf16", {}, "compiled"),
    ("segmentation", 4, "bf16", {}, "compiled"),
]


def measure(row: tuple, size: int, width: int, device: str, steps: int) -> dict:
    """Train a few steps of one recipe and return its numbers."""
    kind, batch, type_name, options, how = row
    build, crops = KINDS[kind]
    if batch * crops > 100:  # some seconds each
        steps = min(steps, max(3, steps // 2))
    torch.manual_seed(0)
    net, loss_of = build(batch, size, width, device, **options)
    if how.startswith("trainer"):
        # on a CPU the engine would refuse bfloat16 where its gradients are wrong, which these small maps invite
        dtype = TYPES[type_name] if device == "cuda" else None
        return trainer_steps(net, loss_of, steps=steps, late=how.endswith("late"), dtype=dtype, device=device)
    if how == "compiled":
        compiled.compile_in_place(net, device=device)
    optimizer = torch.optim.AdamW(net.parameters(), 1e-4)
    dtype = TYPES[type_name]
    scaler = torch.amp.GradScaler(device, enabled=dtype is torch.float16)
    cuda = device == "cuda"
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    times, losses, kept = [], [], 0.0
    for _ in range(steps):
        wait(cuda)
        start, before = time.perf_counter(), torch.cuda.memory_allocated() if cuda else 0
        with torch.autocast(device, dtype=dtype, enabled=dtype is not None):
            loss = loss_of(net)
        kept = (torch.cuda.memory_allocated() - before) / MIB if cuda else 0.0
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad(set_to_none=True)
        wait(cuda)
        times.append(time.perf_counter() - start)
        losses.append(loss.item())
    if not all(torch.isfinite(torch.tensor(losses))):
        raise FloatingPointError(f"losses {losses}")
    seconds = statistics.median(times[steps // 3 :])
    return {
        "step_ms": round(1000 * seconds, 1),
        "crop_ms": round(1000 * seconds / (batch * crops), 2),
        "first_step_s": round(times[0], 1),
        "peak_mib": round(torch.cuda.max_memory_allocated() / MIB) if cuda else None,
        "kept_per_crop_mib": round(kept / (batch * crops)) if cuda else None,
        "loss": [round(losses[0], 4), round(losses[-1], 4)],
    }


def whole_volume(shape: tuple[int, int, int], size: int, width: int, device: str) -> dict:
    """Segment a volume by sliding windows as inference.json does (overlap .5, four windows at a time, bf16)."""
    net = (
        SwinUNETR(in_channels=1, out_channels=14, feature_size=width, window_size=fitting_window(size))
        .to(device)
        .eval()
    )
    volume: Tensor = torch.rand(1, 1, *shape)
    numbers = {}
    for place in (device, "cpu"):
        inferer = SlidingWindowInferer(
            roi_size=(size,) * 3, sw_batch_size=4, overlap=0.5, mode="gaussian", sw_device=device, device=place
        )
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        start = time.perf_counter()
        with torch.no_grad(), torch.autocast(device, dtype=torch.bfloat16):
            inferer(volume if place == "cpu" else volume.to(device), net)
        wait(device == "cuda")
        numbers[f"seconds, blended on {place}"] = round(time.perf_counter() - start, 1)
        if device == "cuda":
            numbers[f"peak_mib, blended on {place}"] = round(torch.cuda.max_memory_allocated() / MIB)
    return numbers


def wait(cuda: bool) -> None:
    """Let the card finish, so that the clock is right."""
    if cuda:
        torch.cuda.synchronize()


def main(
    out: str, *, seconds: float = 150, steps: int = 10, crop_size: int = 96, feature_size: int = 48,
    device: str = "cuda", shape: tuple[int, int, int] = (512, 512, 300), most_volumes: int = 32,
) -> None:  # fmt: skip
    """Measure row after row into ``out`` until the seconds are over."""
    start = time.monotonic()
    if device == "cpu":
        compiled.BACKEND = "aot_eager"  # traces the same graphs; kernels for a processor take minutes to build
    rows = [(kind, min(batch, most_volumes), *rest) for kind, batch, *rest in ROWS]
    jobs = [(row, lambda row=row: measure(row, crop_size, feature_size, device, steps)) for row in rows]
    volume = ("inference of " + "x".join(map(str, shape)), 4, "bf16", {}, "")
    jobs.insert(11, (volume, lambda: whole_volume(tuple(shape), max(crop_size, LEAST), feature_size, device)))
    with Path(out).open("w", encoding="utf-8") as file:
        for row, job in jobs:
            kind, batch, type_name, options, how = row
            line = {"kind": kind, "batch": batch, "type": type_name, **options, "how": how}
            if time.monotonic() - start > seconds:
                line["left_out"] = f"{seconds} s were over"
            else:
                try:
                    line |= job()
                except Exception as error:  # whatever it is, it is this row's result, and the next row is measured
                    words = " ".join(str(error).split())[:160]
                    line["failed"] = f"{type(error).__name__}: {words}"
            file.write(json.dumps(line) + "\n")
            file.flush()
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()
            torch.compiler.reset()  # what was compiled holds its network
            gc.collect()
            if device == "cuda":
                torch.cuda.empty_cache()


if __name__ == "__main__":
    fire.Fire(main)
