import importlib.util
from pathlib import Path

import nibabel
import numpy as np

from t3d.data.datalist import load_datalist
from t3d.data.findings import labelled

FILE = Path(__file__).resolve().parents[1] / "benchmarks" / "adrenal_mnist.py"


def test_a_cohort_the_bundle_reads(tmp_path):
    spec = importlib.util.spec_from_file_location("adrenal_mnist", FILE)
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    random = np.random.default_rng(0)
    arrays = {}
    for name, count in (("train", 3), ("val", 1), ("test", 2)):
        arrays[f"{name}_images"] = random.integers(0, 2, (count, 8, 8, 8), dtype=np.uint8) * 255
        arrays[f"{name}_labels"] = (np.arange(count) % 2).astype(np.uint8)[:, None]
    np.savez(tmp_path / "x.npz", **arrays)
    counts = benchmark.write_cohort(tmp_path / "x.npz", tmp_path / "cohort")
    assert counts == {"training": 3, "validation": 1, "test": 2}
    items = labelled(
        load_datalist(tmp_path / "cohort" / "datalist.json", "training", need_report=False), [benchmark.FINDING]
    )
    assert [item["label"] for item in items] == [[0.0], [1.0], [0.0]]
    voxels = np.asarray(nibabel.load(items[1]["image"]).dataobj)
    assert np.array_equal(voxels * 255, arrays["train_images"][1])
