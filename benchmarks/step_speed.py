"""How long a step of T3D's recipes takes on a CPU, as ratios to stock Swin UNETR pre-training in the same run.

    OMP_NUM_THREADS=1 python benchmarks/step_speed.py [--crop_size 64] [--feature_size 12] [--batch 2] [--repeats 3]
        [--steps 2]

Forward, backward and clipped AdamW on random crops, in CPU seconds of this process, so that other work on the machine
counts little; the recipes take turns, of each turn's steps the last one counts, and the medians are compared.
"""

import json
import statistics
import sys
import time
from dataclasses import replace

import fire
import torch
from pretrain_steps import RECIPES, batch_of, build, step_loss

STOCK = "stock Swin UNETR"
# where memory allows it: nothing is encoded a second time
AT_ONCE = "T3D, all text windows at once"
ALL = {**RECIPES, AT_ONCE: replace(RECIPES["T3D"], network={**RECIPES["T3D"].network, "text_chunk": 2**20})}


def step_seconds(name: str, *, size: int, width: int, batch: int, steps: int) -> float:
    """CPU seconds of the last of a few steps of a recipe."""
    recipe = ALL[name]
    torch.manual_seed(0)
    net = build(recipe, size=size, width=width).train()
    inputs, loss_of = batch_of(recipe, batch=batch, size=size), step_loss(recipe)
    optimizer = torch.optim.AdamW(net.parameters(), 1e-4)
    seconds = 0.0
    for _ in range(steps):
        start = time.process_time()
        optimizer.zero_grad(set_to_none=True)
        loss_of(net, inputs).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        seconds = time.process_time() - start
    return seconds


def main(
    *, crop_size: int = 64, feature_size: int = 12, batch: int = 2, repeats: int = 3,
    names: tuple[str, ...] = (
        STOCK, "T3D without text windows", "T3D", AT_ONCE, "T3D, paper.json", f"{STOCK}, window 7",
    ), steps: int = 2,
) -> None:  # fmt: skip
    """Print a line of JSON for each recipe: seconds of a step, and its ratios to stock's."""
    torch.set_num_threads(1)
    sizes = {"size": crop_size, "width": feature_size, "batch": batch, "steps": steps}
    measured: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(repeats):
        for name, seconds in measured.items():
            seconds.append(step_seconds(name, **sizes))
            sys.stderr.write(f"{turn}: {name} {seconds[-1]:.2f} s\n")
    medians = {name: statistics.median(seconds) for name, seconds in measured.items()}
    for name, median in medians.items():
        line = {"recipe": name, **sizes, "seconds": round(median, 3), "all": [round(s, 3) for s in measured[name]]}
        if STOCK in medians:
            ratio = median / medians[STOCK]
            line["of_stock"] = round(ratio, 3)
            line["of_stock_per_crop"] = round(ratio * ALL[STOCK].crops / ALL[name].crops, 3)
        sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    fire.Fire(main)
