import nibabel as nib
import numpy as np
import pytest

from t3d.data.datalist import check_header
from t3d.errors import T3DError


def item(file, shape):
    nib.save(nib.Nifti1Image(np.zeros(shape, np.uint8), np.eye(4)), file)
    return {"case_id": "a", "image": str(file)}


def test_one_volume_passes_and_a_folder_without_dicom_does_not(tmp_path):
    check_header(item(tmp_path / "one.nii.gz", (4, 5, 6)))
    with pytest.raises(T3DError, match="case a: image .*no DICOM image files"):
        check_header({"case_id": "a", "image": str(tmp_path)})


def test_a_folder_of_one_dicom_series_passes(tmp_path):
    pytest.importorskip("pydicom")
    from dicom_writer import ct, write_series

    write_series(tmp_path / "scan", ct())
    check_header({"case_id": "a", "image": str(tmp_path / "scan")})


def test_other_files_are_refused(tmp_path):
    with pytest.raises(T3DError, match="case a.*4 axes"):
        check_header(item(tmp_path / "series.nii.gz", (4, 5, 6, 2)))
    (tmp_path / "text.nii.gz").write_text("no image")
    with pytest.raises(T3DError, match="case a.*text.nii.gz cannot be read"):
        check_header({"case_id": "a", "image": str(tmp_path / "text.nii.gz")})
