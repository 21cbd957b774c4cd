"""Seconds per window and file sizes of an exported segmentation network: torch, torch.export program, onnxruntime.

    OMP_NUM_THREADS=1 python benchmarks/export_speed.py --folder WORK --crop_size 96 --feature_size 48 --repeats 5

Weights are random (they do not change the speed). The runners take turns, window by window, so that whatever else the
machine does falls on all of them alike; the smallest and the median of the repeats are shown.
"""

import argparse
import json
import logging
import statistics
import time
from pathlib import Path

import torch
from monai.networks.nets import SwinUNETR

from t3d.export.command import export_bundle
from t3d.export.session import OnnxSession
from t3d.weights import save_network

BUNDLE = Path(__file__).resolve().parents[1] / "bundles" / "t3d_segmentation"
CLASSES = 14  # BTCV's organs and the background
logger = logging.getLogger("export_speed")


def make_model(folder: Path, *, feature_size: int, window_size: int, crop_size: int) -> SwinUNETR:
    torch.manual_seed(0)
    network = SwinUNETR(in_channels=1, out_channels=CLASSES, feature_size=feature_size, window_size=window_size)
    save_network(network, folder / "model.pt")
    record = {
        "format_version": 1,
        "network": {"feature_size": feature_size, "window_size": window_size},
        "preprocessing": {"crop_size": crop_size},
    }
    (folder / "model.json").write_text(json.dumps(record))
    return network.eval()


def timed(run, window: torch.Tensor) -> float:
    start = time.perf_counter()
    run(window)
    return time.perf_counter() - start


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
    sizes = {name: getattr(arguments, name) for name in ("feature_size", "window_size", "crop_size")}
    network = make_model(arguments.folder, **sizes)
    start = time.perf_counter()
    out = arguments.folder / "export"
    record = export_bundle(str(BUNDLE), ckpt_dir=str(arguments.folder), out_dir=str(out), overwrite=True)
    logger.info("export and comparison: %.0f s", time.perf_counter() - start)
    logger.info("largest differences: %s", json.dumps(record["check"]["files"]))
    for name in ("model.pt", "export/model.pt2", "export/model.onnx"):
        logger.info("%s: %.1f MB", name, (arguments.folder / name).stat().st_size / 1e6)
    program, session = torch.export.load(out / "model.pt2").module(), OnnxSession(out / "model.onnx")
    runners = {"torch": network, "program": program, "onnxruntime": lambda window: session(image=window)}
    window = torch.rand(1, 1, *[arguments.crop_size] * 3)
    times: dict[str, list[float]] = {name: [] for name in runners}
    for repeat in range(arguments.repeats + 1):
        for name, run in runners.items():
            took = timed(run, window)
            if repeat:  # the first pass warms up
                times[name].append(took)
    for name, took in times.items():
        logger.info(
            "%s: %.2f s per window at best, median %.2f (%d threads)",
            name, min(took), statistics.median(took), torch.get_num_threads(),
        )  # fmt: skip


if __name__ == "__main__":
    main()
