import nibabel as nib
import numpy as np
import pytest

from t3d.data.datalist import check_header
from t3d.errors import T3DError


def item(file, shape):
    nib.save(nib.Nifti1Image(np.zeros(shape, np.uint8), np.eye(4)), file)
    return {"case_id": "a", "image": str(file)}


def test_one_volume_and_a_folder_pass(tmp_path):
    check_header(item(tmp_path / "one.nii.gz", (4, 5, 6)))
    check_header({"case_id": "a", "image": str(tmp_path)})


def test_other_files_are_refused(tmp_path):
    with pytest.raises(T3DError, match="case a.*4 axes"):
        check_header(item(tmp_path / "series.nii.gz", (4, 5, 6, 2)))
    (tmp_path / "text.nii.gz").write_text("no image")
    with pytest.raises(T3DError, match="case a.*no readable NIfTI header"):
        check_header({"case_id": "a", "image": str(tmp_path / "text.nii.gz")})
