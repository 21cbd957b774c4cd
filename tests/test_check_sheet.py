"""The pictures of `t3d check`: how many to a page, and which side is which."""

import nibabel as nib
import numpy as np
import pytest
from matplotlib.image import imread

from t3d.check.case import look_at_case
from t3d.check.sheet import Sheet
from t3d.errors import T3DError


def test_pages_hold_forty_eight_cases_and_show_the_right_on_the_left(tmp_path):
    volume = np.full((20, 20, 20), -1000, np.int16)
    volume[2:6, 10:18, 5:15] = 800  # bone at the patient's left in an LPS file, in front
    nib.save(nib.Nifti1Image(volume[::-1], np.diag([-2.0, -2, 3, 1])), tmp_path / "k0.nii.gz")
    facts = look_at_case({"case_id": "k0", "image": str(tmp_path / "k0.nii.gz")}, picture=True)
    rows, columns = np.nonzero(facts.picture.pixels > 128)
    # stored index grows to the left and to the back: high first index is the patient's left, the picture's right
    assert columns.min() >= 10 and rows.min() >= 10
    sheet = Sheet(tmp_path / "pages")
    for number in range(50):
        sheet.add(f"k{number}", facts.picture if number else None, faulty=number == 3)
    sheet.close()
    assert sorted(f.name for f in (tmp_path / "pages").iterdir()) == ["check_001.png", "check_002.png"]
    assert (
        imread(tmp_path / "pages" / "check_001.png").shape[0]
        > 3 * imread(tmp_path / "pages" / "check_002.png").shape[0]
    )
    with pytest.raises(T3DError, match="check_001.png is already there; choose another --sheet"):
        Sheet(tmp_path / "pages")
    Sheet(tmp_path / "pages", overwrite=True)
    assert not list((tmp_path / "pages").iterdir())


def test_the_liver_is_on_the_left_of_the_picture(shared_data, tmp_path):
    """Real organs: TotalSegmentator's label 5 is the liver, on the patient's right, and 1 the spleen, on the left."""
    for name in ("totalseg_body_dicom20/seg117", "totalseg_torso_3mm/seg117_sm30_hq"):
        labels = nib.load(shared_data / f"{name}.nii.gz")
        values = np.asarray(labels.dataobj)
        places = {}
        for organ in (5, 1):
            plane = np.flatnonzero((values == organ).any(axis=(0, 1)))
            part = values[:, :, plane[0] : plane[-1] + 1]  # its own middle slice
            nib.save(
                nib.Nifti1Image(np.where(part == organ, 500, -1000).astype(np.int16), labels.affine),
                tmp_path / "o.nii",
            )
            facts = look_at_case({"case_id": "o", "image": str(tmp_path / "o.nii")}, picture=True, allow_no_hu=True)
            places[organ] = np.nonzero(facts.picture.pixels > 200)[1].mean() / facts.picture.pixels.shape[1]
        assert places[5] < 0.45 and places[1] > 0.55, (name, places)
