"""Time and memory of a MONAI Label server for one large CT on a CPU: python benchmarks/label_large_ct.py

Run it with the interpreter of a MONAI Label environment (`make test-label` makes two). Weights are random: they change
neither time nor memory. Prints one JSON object.
"""

import argparse
import hashlib
import json
import math
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from monai.networks.nets import SwinUNETR

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests" / "label")]

from label_server import LabelServer  # noqa: E402

from t3d.monai_label.install import install_bundle  # noqa: E402

BUNDLE = REPOSITORY / "bundles" / "t3d_segmentation"
SPACING = (0.75, 0.75, 1.5)


def large_ct(path: Path, shape: tuple[int, ...], voxel: tuple[float, ...]) -> None:
    """Write blobs of tissue values: content does not change the time, compressibility changes loading a little."""
    coarse = np.random.default_rng(0).normal(40, 300, [math.ceil(side / 8) for side in shape])
    volume = coarse.repeat(8, 0).repeat(8, 1).repeat(8, 2)[: shape[0], : shape[1], : shape[2]]
    nib.save(nib.Nifti1Image(volume.clip(-1000, 1500).astype(np.int16), np.diag([*voxel, 1])), path)


def model(folder: Path, feature_size: int) -> None:
    """Random weights and their record, with the bundle's default settings otherwise."""
    folder.mkdir()
    labels = json.loads((BUNDLE / "configs" / "labels_btcv.json").read_text())
    torch.save(SwinUNETR(in_channels=1, out_channels=len(labels), feature_size=feature_size).state_dict(),
               folder / "model.pt")  # fmt: skip
    record = {
        "format_version": 1,
        "files": {"model.pt": hashlib.sha256((folder / "model.pt").read_bytes()).hexdigest()},
        "network": {"feature_size": feature_size, "window_size": 7},
        "preprocessing": {"spacing": SPACING, "orientation": "RAS", "hu_range": [-1000, 1000], "crop_size": 96},
        "labels": labels,
    }
    (folder / "model.json").write_text(json.dumps(record))


def tile(feature_size: int, batch: int) -> dict:
    """Seconds and memory of one batch of windows, in a process of its own."""
    network = SwinUNETR(in_channels=1, out_channels=14, feature_size=feature_size).eval()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with torch.no_grad():
        start = time.perf_counter()
        network(torch.rand(batch, 1, 96, 96, 96))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"feature_size": feature_size, "windows": batch, "threads": torch.get_num_threads(),
            "seconds_per_window": round((time.perf_counter() - start) / batch, 2),
            "more_GiB": round((peak - before) / 2**20, 2)}  # fmt: skip


def windows(shape: tuple[int, ...], voxel: tuple[float, ...], overlap: float) -> int:
    """Windows of 96 voxels that cover a volume after resampling."""
    sides = [round(side * size / target) for side, size, target in zip(shape, voxel, SPACING, strict=True)]
    step = int(96 * (1 - overlap))
    return math.prod(math.ceil(max(side - 96, 0) / step) + 1 for side in sides)


def peak_gib(pid: int) -> float:
    """Peak resident memory of a running process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 2**20


def serve(shape: tuple[int, ...], voxel: tuple[float, ...], feature_size: int, overlap: float) -> dict:
    """One request over HTTP, and what it cost."""
    folder = Path(tempfile.mkdtemp())
    line = [sys.executable, "-m", "monailabel.main", "apps", "--download", "--name", "monaibundle", "--output", folder]
    subprocess.run(line, check=True, capture_output=True)
    model(folder / "trained", feature_size)
    installed = install_bundle(BUNDLE, app_dir=folder / "monaibundle", models=folder / "trained")
    config = json.loads((installed / "configs" / "inference.json").read_text())
    (installed / "configs" / "inference.json").write_text(json.dumps({**config, "overlap": overlap}))
    (folder / "studies").mkdir()
    large_ct(folder / "studies" / "large.nii.gz", shape, voxel)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app, studies, log = folder / "monaibundle", folder / "studies", folder / "server.log"
    with LabelServer(app, studies, port, log, "t3d_segmentation", patience=7200) as server:
        idle = peak_gib(server.process.pid)
        start = time.perf_counter()
        status, answer = server.infer("t3d_segmentation", "large", {"device": "cpu"})
        seconds = time.perf_counter() - start
        peak = peak_gib(server.process.pid)
    shutil.rmtree(folder)
    if status != 200:
        raise SystemExit(str(answer))
    return {"shape": shape, "feature_size": feature_size, "overlap": overlap, "seconds": round(seconds, 1),
            "windows": windows(shape, voxel, overlap), "idle_GiB": round(idle, 2), "peak_GiB": round(peak, 2),
            "parts": answer["params"]["latencies"]}  # fmt: skip


def main() -> None:
    """Measure a window of the default network and a whole request of a chosen one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", type=int, nargs=3, default=(512, 512, 300))
    parser.add_argument("--voxel", type=float, nargs=3, default=(0.7, 0.7, 1.0), help="millimetres")
    parser.add_argument("--feature_size", type=int, default=48)
    parser.add_argument("--overlap", type=float, default=0.5)
    parser.add_argument("--only_window", action="store_true")
    options = parser.parse_args()
    found = {"window": tile(options.feature_size, 4)}
    if not options.only_window:
        found["request"] = serve(tuple(options.shape), tuple(options.voxel), options.feature_size, options.overlap)
    sys.stdout.write(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
