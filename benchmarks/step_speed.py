"""How long a step of T3D's recipes takes on a CPU, as ratios to stock Swin UNETR pre-training in the same run.

    OMP_NUM_THREADS=1 python benchmarks/step_speed.py [--crop_size 64] [--feature_size 12] [--batch 2] [--repeats 3]
        [--steps 2]

Forward, backward and clipped AdamW on random crops, in CPU seconds of this process, so that other work on the machine
counts little; the recipes take turns, of each turn's steps the last one counts. Ratios are of one turn each, the
median of them. Time of the system, which is the making of large blocks of memory, is in the seconds and stands apart,
too: it depends on the C library's settings (docs/troubleshooting.md) more than on the recipe.
"""

import json
import os
import statistics
import sys
from collections.abc import Iterable
from dataclasses import replace

import fire
import torch
from pretrain_steps import RECIPES, batch_of, build, step_loss

STOCK = "stock Swin UNETR"
# where memory allows it: nothing is encoded a second time
AT_ONCE = "T3D, all text windows at once"
ALL = {
    **RECIPES,
    AT_ONCE: replace(RECIPES["T3D"], network={**RECIPES["T3D"].network, "text_chunk": 2**20, "view_chunk": 2**20}),
}


def step_seconds(name: str, *, size: int, width: int, batch: int, steps: int) -> tuple[float, float]:
    """CPU seconds of the last of a few steps of a recipe, and those of them that are the system's."""
    recipe = ALL[name]
    torch.manual_seed(0)
    net = build(recipe, size=size, width=width).train()
    inputs, loss_of = batch_of(recipe, batch=batch, size=size), step_loss(recipe)
    optimizer = torch.optim.AdamW(net.parameters(), 1e-4)
    start = end = os.times()
    for _ in range(steps):
        start = os.times()
        optimizer.zero_grad(set_to_none=True)
        loss_of(net, inputs).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        end = os.times()
    system = end.system - start.system
    return end.user - start.user + system, system


def main(
    *, crop_size: int = 64, feature_size: int = 12, batch: int = 2, repeats: int = 3,
    names: tuple[str, ...] = (
        STOCK, "T3D without text windows", "T3D", AT_ONCE, "T3D, paper.json", f"{STOCK}, window 7",
    ), steps: int = 2,
) -> None:  # fmt: skip
    """Print a line of JSON for each recipe: seconds of a step, and its ratios to stock's."""
    torch.set_num_threads(1)
    sizes = {"size": crop_size, "width": feature_size, "batch": batch, "steps": steps}
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for turn in range(repeats):
        for name, seconds in measured.items():
            seconds.append(step_seconds(name, **sizes))
            sys.stderr.write(f"{turn}: {name} {seconds[-1][0]:.2f} s, {seconds[-1][1]:.2f} of the system\n")
    for name, each in measured.items():
        line = {"recipe": name, **sizes, "seconds": _middle(whole for whole, _ in each)}
        line |= {"system": _middle(system for _, system in each), "all": [round(whole, 2) for whole, _ in each]}
        if STOCK in measured:
            crops = ALL[STOCK].crops / ALL[name].crops
            pairs = list(zip(each, measured[STOCK], strict=True))
            line["of_stock"] = _middle(ours[0] / stock[0] for ours, stock in pairs)
            line["of_stock_per_crop"] = _middle(ours[0] / stock[0] * crops for ours, stock in pairs)
            apart = ((ours[0] - ours[1]) / (stock[0] - stock[1]) for ours, stock in pairs)
            line["of_stock_per_crop_without_system"] = _middle(ratio * crops for ratio in apart)
        sys.stdout.write(json.dumps(line) + "\n")


def _middle(numbers: Iterable[float]) -> float:
    return round(statistics.median(numbers), 3)


if __name__ == "__main__":
    fire.Fire(main)
