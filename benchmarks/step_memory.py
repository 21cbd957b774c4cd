"""Does the memory of a training step depend on the size of the volumes, on how many they are, on the text windows?

    .venv-demo/bin/python benchmarks/step_memory.py compare [--shapes 128,384,512x512x1000] [--crop_size 64] [--raw]
    .venv-demo/bin/python benchmarks/step_memory.py batches [--crop_size 32] [--feature_size 24] [--view_chunk 8]

For each size it writes a small cohort at the spacing of the training, so that nothing is resampled, brings it into
the prepared store, trains two steps on it with the bundle's own configs in a fresh process, and prints the peak
memory of the training process and of the worker that reads the crops, and on a GPU the peak of allocated memory.
Pages of files are apart: the store is mapped, so what was read of a volume counts as resident memory of the process,
but it is the system's cache of that file, which all workers share and which goes when memory is short. With --raw the
volumes are read whole, as without a prepared store; then the worker's memory depends on the size. Exit status 1 if
the peaks (with --raw those of the worker apart) lie more than 5 % apart.

"batches" compares 8 volumes of 8 text windows with 32 windows and with 32 volumes, views and windows in chunks; what a
further volume adds is its crops and tokens. Exit status 1 if a peak lies more than 25 % above the first.
"""

import json
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import fire

BUNDLE = Path(__file__).resolve().parents[1] / "bundles" / "t3d_pretrain"
SPACING = 1.0  # mm
VALIDATION = 2  # cases
TOLERANCE = 0.05
MORE = {"8 volumes, 8 windows": (8, 8), "8 volumes, 32 windows": (8, 32), "32 volumes, 8 windows": (32, 8)}
GROWTH = 0.25


def write_cohort(folder: str, shape: str, cases: int) -> None:
    """Write a volume of noisy soft tissue, which all cases share, and their datalist with a report each."""
    import nibabel
    import numpy as np

    rng = np.random.default_rng(0)
    volume = (200 * rng.standard_normal(sides(shape), dtype=np.float32)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(volume, np.diag([SPACING] * 3 + [1.0])), Path(folder, "ct.nii"))
    datalist = {}
    for split, count in {"training": cases, "validation": VALIDATION}.items():
        datalist[split] = []
        for index in range(count):
            case = f"{split}_{index}"
            report = f"FINDINGS: A nodule of {index + 3} mm in the lung. IMPRESSION: Nodule of {index + 3} mm."
            datalist[split].append({"case_id": case, "patient_id": case, "image": "ct.nii", "report": report})
    Path(folder, "datalist.json").write_text(json.dumps(datalist), encoding="utf-8")


def prepare(folder: str) -> None:
    """Bring the cohort into the prepared store, in the same folder."""
    from t3d.prepare.cohort import prepare_cohort

    prepare_cohort(Path(folder, "datalist.json"), Path(folder, "prepared"), spacing=(SPACING,) * 3)


def sides(shape: str) -> tuple[int, ...]:
    """128 means 128^3."""
    numbers = [int(side) for side in str(shape).split("x")]
    return tuple(numbers * 3 if len(numbers) == 1 else numbers)


def train(folder: str, raw: bool, **settings: int) -> None:
    """Train two steps on a cohort and write the peaks of this process, its worker and its GPU, in MiB."""
    import torch
    from monai.bundle import run

    watch = Watch()
    watch.start()
    run(
        config_file=[str(BUNDLE / "configs" / name) for name in ("train.json", "demo.json")],
        bundle_root=str(BUNDLE),
        dataset_dir=folder if raw else f"{folder}/prepared",
        ckpt_dir=f"{folder}/models",
        output_dir=f"{folder}/eval",
        spacing=[SPACING] * 3,
        max_epochs=1,
        steps_per_epoch=2,
        cache_rate=0.0,  # a cache would keep volumes in the training process by design
        num_workers=1,  # volumes are loaded in the worker
        **settings,
    )
    peaks = {
        "training process": watch.own,
        "worker": watch.worker,
        "files mapped by the worker": watch.mapped,
        "GPU": torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else 0.0,
    }
    Path(folder, "peaks.json").write_text(json.dumps(peaks), encoding="utf-8")


class Watch(threading.Thread):
    """Looks every few milliseconds at what this process and its children hold, and keeps the highest values, in MiB.

    Attributes:
        own, worker: memory that no file stands behind, of this process and of its largest child.
        mapped: pages of files in a child, among them what it read of the store.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.own = self.worker = self.mapped = 0.0

    def run(self) -> None:
        while True:
            self.own = max(self.own, held(os.getpid())[0])
            for child in multiprocessing.active_children():
                anonymous, mapped = held(child.pid)
                self.worker, self.mapped = max(self.worker, anonymous), max(self.mapped, mapped)
            time.sleep(0.005)


def held(process: int | None) -> tuple[float, float]:
    """MiB of a process without files behind them (shared memory included), and of mapped files; 0 once it ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    except OSError:
        return 0.0, 0.0
    parts = {name: int(size) / 1024 for name, size in re.findall(r"Rss(\w+):\s+(\d+) kB", status)}
    return parts.get("Anon", 0.0) + parts.get("Shmem", 0.0), parts.get("File", 0.0)


def measure(shape: str, raw: bool, settings: dict[str, int]) -> dict[str, float]:
    """Train on volumes of a shape, as many as a batch has; return the peaks in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        # With a fixed threshold glibc returns freed tensors at once; with its own, moving one the peak of the
        # same training differs by some per cent from run to run. At a megabyte the maps of small crops stay in its
        # heap, in pieces: 32 windows of 32^3 seemed to take 48 % more than 8, where it is 6 %.
        environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": str(2**16)}
        # each step is a process of its own, so that the memory of one does not count for the next
        options = [f"--{name}={value}" for name, value in settings.items()]
        cohort = ["write_cohort", folder, shape, str(settings["batch_size"])]
        steps = [cohort, ["prepare", folder], ["train", folder, str(raw), *options]]
        for step in steps[:1] + steps[2:] if raw else steps:
            line = [sys.executable, __file__, *step]
            done = subprocess.run(line, check=False, stdout=subprocess.DEVNULL, env=environment)
            if done.returncode:
                sys.exit(f"error: {step[0]} failed for volumes of {shape}, see above")
        return json.loads(Path(folder, "peaks.json").read_text(encoding="utf-8"))


def compare(
    shapes: tuple[str, ...] = ("128", "384", "512x512x1000"),
    crop_size: int = 64,
    feature_size: int = 24,
    raw: bool = False,
) -> None:
    """Measure each size, print the table, and exit with 1 if the peaks lie more than 5 % apart."""
    settings = {"crop_size": crop_size, "feature_size": feature_size, "batch_size": 2}
    shapes = [str(shape) for shape in (shapes if isinstance(shapes, tuple | list) else (shapes,))]
    peaks = {shape: measure(shape, raw, settings) for shape in shapes}
    parts = ("training process", "worker", "files mapped by the worker", "GPU")
    rows = ["| volume | " + " | ".join(f"{part}, MiB" for part in parts) + " |", "|---" * (1 + len(parts)) + "|"]
    rows += [
        f"| {'x'.join(map(str, sides(shape)))} | " + " | ".join(f"{peak[part]:.0f}" for part in parts) + " |"
        for shape, peak in peaks.items()
    ]
    growth = {}
    for part in ("training process", "GPU") if raw else ("training process", "worker", "GPU"):
        values = [peak[part] for peak in peaks.values()]
        growth[part] = max(values) / min(values) - 1 if min(values) else 0.0
    rows.append(", ".join(f"{part}: {share:.1%} apart" for part, share in growth.items()))
    sys.stdout.write("\n".join(rows) + "\n")
    if max(growth.values()) > TOLERANCE:
        sys.exit(1)


def batches(*, crop_size: int = 32, feature_size: int = 24, view_chunk: int = 8, text_chunk: int = 4) -> None:
    """Measure a step of 8 volumes, one of more windows and one of more volumes, and print the table."""
    sizes = {"crop_size": crop_size, "feature_size": feature_size, "view_chunk": view_chunk, "text_chunk": text_chunk}
    rows, first, highest = ["| step | training process, MiB | GPU, MiB |", "|---|---|---|"], {}, 0.0
    for name, (volumes, windows) in MORE.items():
        peak = measure(str(2 * crop_size), False, {**sizes, "batch_size": volumes, "text_windows": windows})
        first = first or peak
        highest = max([highest, *(peak[part] / first[part] for part in ("training process", "GPU") if first[part])])
        rows.append(f"| {name} | {peak['training process']:.0f} | {peak['GPU']:.0f} |")
    sys.stdout.write("\n".join([*rows, f"at most {highest - 1:.1%} more"]) + "\n")
    if highest > 1 + GROWTH:
        sys.exit(1)


if __name__ == "__main__":
    fire.Fire(
        {"compare": compare, "batches": batches, "write_cohort": write_cohort, "prepare": prepare, "train": train}
    )
