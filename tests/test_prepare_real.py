"""Real CTs of the shared data through `t3d prepare`."""

import json

import numpy as np
import pytest
from monai.transforms import Compose, Orientationd, Spacingd

pytest.importorskip("blosc2")
from t3d.prepare.case import prepare_case  # noqa: E402
from t3d.prepare.cohort import prepare_cohort  # noqa: E402
from t3d.prepare.store import open_stored  # noqa: E402
from t3d.transforms.load import LoadVolumed  # noqa: E402

SPACING = [4.0, 4.0, 4.0]
# TotalSegmentator's numbers
SPLEEN, LIVER = 1, 5


def test_every_real_ct_equals_the_plain_pipeline(shared_data, tmp_path):
    files = sorted(shared_data.glob("*/*ct*.nii.gz"))
    assert len(files) >= 5
    items = [{"case_id": f"{file.parent.name}_{file.name}", "image": str(file)} for file in files]
    (tmp_path / "datalist.json").write_text(json.dumps({"training": items}))
    outcome = prepare_cohort(tmp_path / "datalist.json", tmp_path / "out", spacing=SPACING)
    assert not outcome.failed
    plain = Compose(
        [LoadVolumed(), Orientationd("image", axcodes="RAS"), Spacingd("image", pixdim=SPACING, mode="bilinear")]
    )
    for item in items:
        stored = open_stored(tmp_path / "out/volumes" / f"{item['case_id']}.b2nd")
        whole = plain(item)["image"]
        assert stored.shape == whole.shape[1:] and np.abs(stored[:] - whole[0].numpy()).max() <= 0.51


def test_the_liver_is_on_the_right(shared_data, tmp_path):
    folder = shared_data / "totalseg_torso_3mm"
    item = {"case_id": "torso", "image": str(folder / "ct.nii.gz"), "label": str(folder / "seg117.nii.gz")}
    settings = {"spacing": SPACING, "lesion_values": [], "seed": 0}
    prepare_case(item, folder=str(folder), out_dir=str(tmp_path), settings=settings)
    image, label = open_stored(tmp_path / "volumes/torso.b2nd")[:], open_stored(tmp_path / "labels/torso.b2nd")[:]
    places = {value: np.argwhere(label == value).mean(0) for value in (SPLEEN, LIVER)}
    # +R: the index along the first axis rises to the patient's right
    assert places[LIVER][0] > places[SPLEEN][0] + 10
    assert 20 < np.median(image[label == LIVER]) < 200
