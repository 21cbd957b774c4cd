"""The memory of `t3d check` grows neither with a volume nor with their number."""

import json
import tracemalloc

import nibabel as nib
import numpy as np

from t3d.check.case import CaseFacts, look_at_case
from t3d.check.cohort import check_cohort


def test_one_slab_is_in_memory_at_a_time(tmp_path):
    volume = np.zeros((256, 256, 400), np.int16)  # 50 MiB
    volume[::2] = np.arange(400) - 1000
    nib.save(nib.Nifti1Image(volume, np.eye(4)), tmp_path / "k0.nii")
    del volume
    tracemalloc.start()
    facts = look_at_case({"case_id": "k0", "image": str(tmp_path / "k0.nii")}, picture=True, allow_no_hu=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert facts.shape == (256, 256, 400) and peak < 110 * 2**20  # slabs of 4 M voxels, their float and bin copies


def seen(item, **options):
    number = int(item["case_id"][1:])
    return CaseFacts(
        shape=(512, 512, 300), spacing=(0.7, 0.7, 1.0 + number % 3), orientation="LPS",
        quantiles=(-1024, -200, 700, 1500), fingerprint=number.to_bytes(16, "big"), label_values=(0, 1, number % 90),
    )  # fmt: skip


def test_memory_is_bounded_for_25000_cases(tmp_path):
    cases = [
        {
            "case_id": f"k{n}",
            "patient_id": f"p{n}",
            "image": "x.nii",
            "report": f"FINDINGS: Nodule of {n} mm in lobe {n % 7}.",
        }
        for n in range(25_000)
    ]
    (tmp_path / "datalist.json").write_text(json.dumps({"training": cases}))
    size = (tmp_path / "datalist.json").stat().st_size
    del cases
    tracemalloc.start()
    found = check_cohort(tmp_path / "datalist.json", look=seen)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.counts == {"training": 25_000} and not found.faults
    assert peak < 8 * size + 60 * 2**20, peak / 2**20
