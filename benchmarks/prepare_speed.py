"""What does the prepared store cost and save? One table, each number from a process of its own.

    .venv-demo/bin/python benchmarks/prepare_speed.py table --ct CT.nii.gz [--shape 512,512,300] [--cases 25000]
    .venv-demo/bin/python benchmarks/prepare_speed.py scaling --ct CT.nii.gz [--cases 8]

A CT is brought to the wanted shape (0.8 x 0.8 x 1 mm) with noise of 15 HU, because smooth volumes would compress
too well. All crops are two of 128^3 at 1 mm. Times are medians of the processor time of one thread with a warm file
cache, so that other work on the machine does not count (for several workers: the clock's). Peaks are resident memory
above that of the process before the work. Exit status 1 if a bar is missed.

``scaling`` asks what a second worker brings, and beside it what the machine itself gives: two separate runs with one
worker and half of the cases each, side by side. Two hardware threads of one core give far less than twice.
"""

import concurrent.futures
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import fire

SPACING = (1.0, 1.0, 1.0)
CROP = 128
HU = (-1000, 1000)
REPOSITORY = Path(__file__).resolve().parents[1]


def make(folder: str, ct: str, *shape: int) -> dict:
    """Write the CT in the wanted shape."""
    import nibabel as nib
    import numpy as np
    from scipy.ndimage import zoom

    image = nib.load(ct)
    small = np.asarray(image.dataobj, dtype=np.float32)
    factor = np.array(shape) / small.shape
    voxels = zoom(small, factor, order=1)
    voxels += np.random.default_rng(0).normal(0, 15, voxels.shape).astype(np.float32)
    # the voxels of a common chest CT: 410 x 410 x 300 mm
    affine = np.diag([-0.8, -0.8, 1.0, 1])
    nib.save(nib.Nifti1Image(voxels.round().clip(-1024, 3071).astype(np.int16), affine), f"{folder}/ct.nii.gz")
    return {}


def plain_steps() -> list:
    from monai.transforms import LoadImaged, Orientationd, Spacingd

    return [
        LoadImaged("image", ensure_channel_first=True),
        Orientationd("image", axcodes="RAS"),
        Spacingd("image", pixdim=SPACING, mode="bilinear"),
    ]


def scale():
    from monai.transforms import ScaleIntensityRanged

    return ScaleIntensityRanged("image", *HU, 0.0, 1.0, clip=True)


def crops():
    from t3d.transforms.crops import PairedCropsd

    return PairedCropsd("image", crop_size=CROP, view_overlap=None)


def plain(folder: str) -> dict:
    """Two crops through MONAI's plain pipeline."""
    from monai.transforms import Compose

    chain = Compose([*plain_steps(), scale(), crops()])
    return {"seconds": timed(lambda: chain({"image": f"{folder}/ct.nii.gz"}), 1)}


def persistent(folder: str) -> dict:
    """Two crops from a warm PersistentDataset."""
    from monai.data import PersistentDataset
    from monai.transforms import Compose

    data = PersistentDataset([{"image": f"{folder}/ct.nii.gz"}], Compose([*plain_steps(), scale()]), f"{folder}/cache")
    cut = crops()
    data[0]
    return {"seconds": timed(lambda: cut(dict(data[0])), 7), "bytes": size(Path(folder, "cache"))}


def lazy(folder: str) -> dict:
    """Two crops from the prepared store, as training reads them: from the path to scaled tensors."""
    from t3d.transforms.lazy_volume import LazyVolumed

    chain = [LazyVolumed("image", spacing=SPACING, hu_range=HU, body_level=0.2), crops()]
    item = {"image": f"{folder}/prepared/volumes/ct.b2nd"}
    return {
        "seconds": timed(lambda: chain[1](chain[0](item)), 40),
        "bytes": size(Path(folder, "prepared/volumes")),
    }


def monai_save(folder: str) -> dict:
    """LoadImage, Orientation, Spacing and SaveImage (uncompressed, which is quicker)."""
    from monai.transforms import Compose, SaveImaged

    save = SaveImaged(
        "image", output_dir=f"{folder}/saved", output_ext=".nii", output_dtype="int16", resample=False, print_log=False
    )
    chain = Compose([*plain_steps(), save])
    before = peak()
    return {"seconds": timed(lambda: chain({"image": f"{folder}/ct.nii.gz"}), 1), "peak": peak() - before}


def prepare(folder: str) -> dict:
    """`t3d prepare` of one case."""
    from t3d.prepare.case import prepare_case
    from t3d.volume.store import import_blosc2

    import_blosc2()
    settings = {"format_version": 1, "spacing": list(SPACING), "lesion_values": [], "seed": 0}
    item = {"case_id": "ct", "image": f"{folder}/ct.nii.gz"}
    before = peak()
    work = lambda: prepare_case(item, folder=folder, out_dir=f"{folder}/prepared", settings=settings)  # noqa: E731
    return {"seconds": timed(work, 1), "peak": peak() - before}


def processes(folder: str, workers: int, cases: int, name: str = "copies") -> dict:
    """A small cohort of copies with so many workers."""
    from t3d.prepare.cohort import prepare_cohort

    items = [{"case_id": f"ct_{number}", "image": "ct.nii.gz"} for number in range(cases)]
    listed, out = Path(folder, f"{name}.json"), Path(folder, f"{name}_{workers}")
    listed.write_text(json.dumps({"training": items, "validation": [], "test": []}))
    work = lambda: prepare_cohort(listed, out, spacing=SPACING, workers=workers)  # noqa: E731
    seconds = timed(work, 1, time.perf_counter)
    shutil.rmtree(out)
    return {"seconds": seconds}


def start_up(folder: str, cases: int) -> dict:
    """What a training does with a prepared list before its first step: read it, look at every file."""
    from t3d.data.datalist import check_headers, load_datalist
    from t3d.volume.listed import is_prepared

    store = Path(folder, "many/volumes")
    store.mkdir(parents=True)
    report = "FINDINGS: " + "No pleural effusion. " * 40
    items = []
    for number in range(cases):
        for end in (".b2nd", ".index.safetensors"):
            os.link(Path(folder, f"prepared/volumes/ct{end}"), store / f"case_{number}{end}")
        items.append({"case_id": f"case_{number}", "image": f"volumes/case_{number}.b2nd", "report": report})
    content = {"training": items, "prepared": {"spacing": SPACING, "orientation": "RAS", "format_version": 1}}
    (store.parent / "datalist.json").write_text(json.dumps(content))
    del items, content
    before = peak()

    def work() -> None:
        assert is_prepared(store.parent / "datalist.json", spacing=SPACING, orientation="RAS")
        check_headers(load_datalist(store.parent / "datalist.json", "training"))

    return {"seconds": timed(work, 1), "peak": peak() - before, "whole": peak()}


def table(ct: str, *, shape: tuple = (512, 512, 300), cases: int = 25000, folder: str | None = None) -> None:
    """Run all and print the table."""
    place = tempfile.mkdtemp(dir=folder)
    try:
        # apart: a process begins with the peak of the one that started it
        apart("make", place, ct, *shape)
        names = {"monai_save": (), "prepare": (), "plain": (), "persistent": (), "lazy": ()}
        found = {name: apart(name, place, *more) for name, more in names.items()}
        found["start_up"] = apart("start_up", place, cases)
    finally:
        shutil.rmtree(place)
    rows, missed = lines(found, cases)
    sys.stdout.write("\n".join(rows) + "\n")
    sys.exit(int(missed))


def scaling(ct: str, *, shape: tuple = (512, 512, 300), cases: int = 8, folder: str | None = None) -> None:
    """Print what a second worker brings, against two runs side by side."""
    place = tempfile.mkdtemp(dir=folder)
    try:
        apart("make", place, ct, *shape)
        one, two = (apart("processes", place, workers, cases)["seconds"] for workers in (1, 2))
        with concurrent.futures.ThreadPoolExecutor(2) as both:
            halves = [both.submit(apart, "processes", place, 1, cases // 2, name) for name in ("left", "right")]
            beside = max(half.result()["seconds"] for half in halves)
    finally:
        shutil.rmtree(place)
    rows = [("one worker", one), ("two workers", two), ("two runs of one worker with half of the cases each", beside)]
    shown = [f"| {what} | {seconds:.1f} s | {one / seconds:.2f} x |" for what, seconds in rows]
    sys.stdout.write("\n".join([f"| {cases} cases | clock | speed |", "|---|---|---|", *shown]) + "\n")


def lines(found: dict, cases: int) -> tuple[list[str], bool]:
    seconds = {name: one["seconds"] for name, one in found.items()}
    faster, disk = seconds["persistent"] / seconds["lazy"], found["lazy"]["bytes"] / found["persistent"]["bytes"]
    speed = seconds["prepare"] / seconds["monai_save"]
    memory = found["prepare"]["peak"] / found["monai_save"]["peak"]
    start = found["start_up"]
    rows = [
        ("two 128^3 crops, prepared", f"{1e3 * seconds['lazy']:.1f} ms, {mib(found['lazy']['bytes'])}", "", True),
        ("two 128^3 crops, PersistentDataset", f"{1e3 * seconds['persistent']:.0f} ms, "
         f"{mib(found['persistent']['bytes'])}", "", True),
        ("ratio", f"{faster:.1f} x, {disk:.2f} of the disk", ">= 10 x, <= 0.33", faster >= 10 and disk <= 1 / 3),
        ("two 128^3 crops, plain MONAI", f"{seconds['plain']:.1f} s ({seconds['plain'] / seconds['lazy']:.0f} x)",
         "reported", True),
        ("prepare one case", f"{seconds['prepare']:.1f} s, peak {mib(found['prepare']['peak'])}", "", True),
        ("LoadImage, Orientation, Spacing, save", f"{seconds['monai_save']:.1f} s, peak "
         f"{mib(found['monai_save']['peak'])}", "", True),
        ("ratio", f"{speed:.2f} of the time, {memory:.2f} of the peak", "<= 1, <= 0.5", speed <= 1 and memory <= 0.5),
        (f"start-up, {cases} cases", f"{start['seconds']:.1f} s, {mib(start['whole'])} in all", "< 10 s, < 500 MiB",
         start["seconds"] < 10 and start["peak"] < 500 * 2**20),
    ]  # fmt: skip
    shown = [f"| {what} | {value} | {bar} | {'ok' if good else 'MISSED'} |" for what, value, bar, good in rows]
    return ["| work | measured | bar | |", "|---|---|---|---|", *shown], not all(good for *_, good in rows)


def apart(name: str, *arguments: object) -> dict:
    """Run one of the measurements in a fresh process."""
    line = [sys.executable, __file__, "only", name, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(line, stdout=subprocess.PIPE, env=environment, text=True, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def only(name: str, *arguments: object) -> None:
    """One measurement; its result goes to the standard output as JSON."""
    import torch

    torch.set_num_threads(1)
    work = {f.__name__: f for f in (make, plain, persistent, lazy, monai_save, prepare, processes, start_up)}[name]
    sys.stdout.write(json.dumps(work(*arguments)) + "\n")


def timed(work, times: int, clock=time.process_time) -> float:
    spans = []
    for _ in range(times):
        start = clock()
        work()
        spans.append(clock() - start)
    return statistics.median(spans)


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def mib(number: float) -> str:
    return f"{number / 2**20:.0f} MiB"


if __name__ == "__main__":
    fire.Fire({"table": table, "scaling": scaling, "only": only})
