import nibabel as nib
import numpy as np
import pytest

pytest.importorskip("pydicom")
from dicom_writer import ct, write_series  # noqa: E402
from monai.transforms import Compose, Invertd, LoadImage, LoadImaged, Orientationd, SaveImage, Spacingd  # noqa: E402

from t3d.data.inference_cases import find_volumes  # noqa: E402
from t3d.errors import T3DError  # noqa: E402
from t3d.volume.dicom_series import check_item, dicom_files, holds_dicom  # noqa: E402


def write_nifti(file) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4), np.int16), np.eye(4)), file)


GEOMETRIES = {
    "axial": {},
    "slices numbered from head to feet": {"numbers": [6, 5, 4, 3, 2, 1]},
    "head first in positions": {"step": (0.0, 0.0, -2.5)},
    "coronal": {"column": (0.0, 0.0, -1.0)},
    "oblique": {
        "row": (np.cos(0.2), np.sin(0.2), 0.0),
        "column": (-np.sin(0.2) * np.cos(0.3), np.cos(0.2) * np.cos(0.3), np.sin(0.3)),
    },
}


@pytest.mark.parametrize("name", GEOMETRIES)
def test_load_image_reads_hu_spacing_affine_and_order(tmp_path, name):
    """MONAI's stock reader gives every voxel its HU at its place in the patient."""
    hu = ct()
    affine = write_series(tmp_path / "s", hu, **GEOMETRIES[name])
    check_item({"case_id": "s", "image": str(tmp_path / "s")})
    volume = LoadImage(image_only=True, ensure_channel_first=True)(tmp_path / "s")
    assert volume.shape == (1, 12, 10, 6)
    np.testing.assert_allclose(volume.pixdim, [0.8, 0.6, 2.5], atol=1e-4)
    # Readers may stack slices from either end: compare the HU found at the millimetres where they were written.
    voxels = np.stack(np.meshgrid(*map(np.arange, hu.shape), indexing="ij"), -1).reshape(-1, 3)
    millimetres = affine @ np.c_[voxels, np.ones(len(voxels))].T
    back = np.linalg.inv(volume.affine.numpy()) @ millimetres
    np.testing.assert_allclose(back[:3], np.rint(back[:3]), atol=1e-3)
    found = volume.numpy()[0][tuple(np.rint(back[:3]).astype(int))]
    np.testing.assert_array_equal(found, hu.reshape(-1))


def test_result_on_the_grid_of_the_series(tmp_path):
    """There and back through the preprocessing, and out as NIfTI: size and affine of the series."""
    affine = write_series(tmp_path / "s", ct((12, 10, 8)))
    steps = Compose([
        LoadImaged(keys="image", ensure_channel_first=True),
        Orientationd(keys="image", axcodes="RAS", labels=None),
        Spacingd(keys="image", pixdim=(1.0, 1.0, 1.0), mode="bilinear"),
    ])  # fmt: skip
    item = steps({"image": str(tmp_path / "s")})
    assert item["image"].shape != (1, 12, 10, 8)
    item["pred"] = (item["image"] > 0).float()
    item = Invertd(keys="pred", transform=steps, orig_keys="image", nearest_interp=True)(item)
    save = SaveImage(
        output_dir=tmp_path,
        output_postfix="pred",
        separate_folder=False,
        resample=False,
        print_log=False,
        output_dtype=np.uint8,
    )
    item["pred"].meta["filename_or_obj"] = "case_1.nii.gz"
    save(item["pred"])
    saved = nib.load(tmp_path / "case_1_pred.nii.gz")
    assert saved.shape == (12, 10, 8)
    np.testing.assert_allclose(saved.affine, affine, atol=1e-4)


def test_dataset_dir_is_one_series(tmp_path):
    write_series(tmp_path / "scan", ct())
    (tmp_path / "scan" / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    items = find_volumes(tmp_path / "scan")
    assert items == [{"case_id": "scan", "patient_id": "scan", "image": str(tmp_path / "scan")}]
    assert len(dicom_files(tmp_path / "scan")) == 6


def test_folders_of_series_beside_nifti_files(tmp_path):
    write_series(tmp_path / "b.1.2.3", ct())
    write_series(tmp_path / "a", ct())
    write_nifti(tmp_path / "c.nii.gz")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "x.txt").write_text("nothing")
    items = find_volumes(str(tmp_path))
    assert [item["case_id"] for item in items] == ["a", "b.1.2.3", "c"]
    assert items[1]["image"] == str(tmp_path / "b.1.2.3")


def test_nifti_alone_is_as_find_cases(tmp_path):
    write_nifti(tmp_path / "images" / "x.nii.gz")
    assert [item["case_id"] for item in find_volumes(tmp_path)] == ["x"]


def test_datalist_with_a_series(tmp_path):
    write_series(tmp_path / "series" / "k", ct())
    (tmp_path / "datalist.json").write_text('{"test": [{"case_id": "k1", "patient_id": 7, "image": "series/k"}]}')
    assert find_volumes(tmp_path, split="test") == [
        {"case_id": "k1", "patient_id": "7", "image": str(tmp_path / "series" / "k")}
    ]


def test_names_that_collide(tmp_path):
    write_series(tmp_path / "a", ct())
    write_nifti(tmp_path / "a.nii.gz")
    with pytest.raises(T3DError, match="case a: case_id is used 2 times"):
        find_volumes(tmp_path)


def test_loose_files_of_both_kinds(tmp_path):
    write_series(tmp_path, ct())
    write_nifti(tmp_path / "a.nii.gz")
    with pytest.raises(T3DError, match="folder of their own"):
        find_volumes(tmp_path)


def test_nothing_to_find(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(T3DError, match="nor folders with DICOM files"):
        find_volumes(tmp_path)
    with pytest.raises(T3DError, match="set dataset_dir"):
        find_volumes(tmp_path / "absent")
    assert not holds_dicom(tmp_path)


def test_check_names_the_case(tmp_path):
    write_series(tmp_path / "s", ct(), skip=(2,))
    with pytest.raises(T3DError, match="^case k1: DICOM folder s: slices are missing"):
        check_item({"case_id": "k1", "image": str(tmp_path / "s")})
    check_item({"case_id": "k2", "image": str(tmp_path / "no_folder.nii.gz")})
