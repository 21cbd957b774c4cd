"""Processor seconds per window and sizes of an exported segmentation network: torch and onnxruntime.

    OMP_NUM_THREADS=1 python benchmarks/export_speed.py --folder WORK --crop_size 96 --feature_size 48 --repeats 5

Weights are random (they do not change the speed). The runners take turns, window by window, so that whatever else the
machine does falls on all of them alike; the smallest and the median of the repeats are shown.
"""

import argparse
import logging
import statistics
import time
from pathlib import Path

import torch
from monai.networks.nets import SwinUNETR

from t3d.export.onnx_model import onnx_bytes
from t3d.export.parts import parts_of
from t3d.export.program import export_program
from t3d.export.session import OnnxSession
from t3d.weights import save_network

CLASSES = 14  # BTCV's organs and the background
logger = logging.getLogger("export_speed")


def write_files(folder: Path, network: SwinUNETR, *, crop_size: int) -> None:
    (part,) = parts_of(network, crop_size=crop_size)
    start = time.perf_counter()
    (folder / "model.onnx").write_bytes(onnx_bytes(export_program(part), part))
    logger.info("exported in %.0f s", time.perf_counter() - start)
    save_network(network, folder / "model.pt")
    for name in ("model.pt", "model.onnx"):
        logger.info("%s: %.1f MB", name, (folder / name).stat().st_size / 1e6)


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--crop_size", type=int, default=96)
    parser.add_argument("--feature_size", type=int, default=48)
    parser.add_argument("--window_size", type=int, default=7)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    network = SwinUNETR(
        in_channels=1,
        out_channels=CLASSES,
        feature_size=arguments.feature_size,
        window_size=arguments.window_size,
    ).eval()
    write_files(arguments.folder, network, crop_size=arguments.crop_size)
    session = OnnxSession(arguments.folder / "model.onnx")
    runners = {"torch": network, "onnxruntime": lambda window: session(image=window)["pred"]}
    window = torch.rand(1, 1, *[arguments.crop_size] * 3)
    times: dict[str, list[float]] = {name: [] for name in runners}
    made: dict[str, torch.Tensor] = {}
    for repeat in range(arguments.repeats + 1):
        for name, run in runners.items():
            start = time.process_time()  # of this process alone, whatever else the machine does
            made[name] = run(window)
            if repeat:  # the first pass warms up
                times[name].append(time.process_time() - start)
    for name, took in times.items():
        off = (made[name] - made["torch"]).abs().max()
        logger.info(
            "%s: %.2f s of processor time per window at best, median %.2f (%d threads), off by %.2g of %.3g",
            name, min(took), statistics.median(took), torch.get_num_threads(), off, made["torch"].abs().max(),
        )  # fmt: skip


if __name__ == "__main__":
    main()
