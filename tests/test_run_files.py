import gzip
import json

import nibabel as nib
import numpy as np
import pytest
from ignite.engine import Engine
from monai.data import Dataset

from t3d.bundle.run_files import run_files
from t3d.errors import T3DError


def test_each_file_is_looked_at_before_it_is_loaded_and_the_rest_goes_on(tmp_path):
    for name, shape in {"good": (8, 8, 8), "flat": (8, 8), "also": (9, 8, 8)}.items():
        nib.save(nib.Nifti1Image(np.zeros(shape, np.int16) - 1000, np.eye(4)), tmp_path / f"{name}.nii.gz")
    items = [{"case_id": name, "image": str(tmp_path / f"{name}.nii.gz")} for name in ("good", "flat", "also")]
    loaded = []
    data = Dataset(items, transform=lambda item: loaded.append(item["case_id"]) or item)
    (tmp_path / "out").mkdir()
    for name in ("z", "done"):
        (tmp_path / "out" / f"{name}_pred.nii.gz").write_bytes(gzip.compress(b"a result"))
    options = {"output_dir": tmp_path / "out", "cases": [*items, {"case_id": "z"}, {"case_id": "done"}]}
    with pytest.raises(T3DError, match="already holds results of 2 of 5 cases"):
        run_files(Engine(lambda engine, batch: None), data, **options, overwrite=False)
    assert loaded == []
    with pytest.raises(T3DError, match="1 of 3 cases failed.*case flat"):
        run_files(Engine(lambda engine, batch: None), data, **options, overwrite=False, skip_done=True)
    assert loaded == ["good", "also"]
    found = json.loads((tmp_path / "out" / "cases.json").read_text())
    assert found["done"] == ["good", "also"] and found["skipped"] == ["done", "z"]
    assert [case["case_id"] for case in found["failed"]] == ["flat"]
