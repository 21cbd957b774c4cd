import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import DataLoader, Dataset
from monai.transforms import Compose, LoadImaged

from t3d.errors import T3DError, plain_message
from t3d.volume.load import LoadVolumed

AFFINE = np.diag([-0.75, 0.75, 1.5, 1.0])


def save(path, array):
    nib.save(nib.Nifti1Image(array, AFFINE), path)
    return {"image": str(path), "case_id": "case7"}


def volume(*shape):
    return np.random.default_rng(0).integers(-1000, 1000, shape).astype(np.int16)


def truncated(path):
    item = save(path, volume(20, 20, 20))
    path.write_bytes(path.read_bytes()[:4000])
    return item


def test_equals_monais_loader(tmp_path):
    item = save(tmp_path / "a.nii.gz", volume(4, 5, 6))
    ours = LoadVolumed()(item)["image"]
    stock = LoadImaged("image", ensure_channel_first=True, image_only=True)(item)["image"]
    assert ours.shape == (1, 4, 5, 6) and ours.dtype == torch.float32
    assert torch.equal(ours.as_tensor(), stock.as_tensor())
    assert torch.equal(ours.affine, stock.affine)
    assert str(ours.meta["original_channel_dim"]) == str(stock.meta["original_channel_dim"])
    assert isinstance(item["image"], str)


@pytest.mark.parametrize("shape", [(4, 5, 6, 1), (4, 5, 6, 1, 1)])
def test_trailing_single_axes_are_dropped(tmp_path, shape):
    array = volume(*shape)
    loaded = LoadVolumed()(save(tmp_path / "a.nii.gz", array))["image"]
    assert np.array_equal(loaded.numpy(), array.reshape(1, 4, 5, 6))


def test_optional_label(tmp_path):
    item = save(tmp_path / "a.nii.gz", volume(4, 5, 6))
    out = LoadVolumed(["image", "label"], allow_missing_keys=True)(item)
    assert set(out) == {"image", "case_id"}


def without_thickness(path):
    image = nib.Nifti1Image(volume(4, 5, 6), np.eye(4))
    image.set_sform(np.diag([1.0, 1.0, 0.0, 1.0]), code=1)
    nib.save(image, path)
    return {"image": str(path), "case_id": "case7"}


def bad_items(folder):
    holes = np.zeros((4, 5, 6), dtype=np.float32)
    holes[0, 0, :2] = np.nan
    holes[1, 0, 0] = np.inf
    (folder / "text.nii.gz").write_text("no image")
    (folder / "void.nii.gz").write_bytes(b"")
    return {
        "truncated": (truncated(folder / "cut.nii.gz"), "image cut.nii.gz cannot be read"),
        "truncated plain": (truncated(folder / "cut.nii"), "image cut.nii cannot be read"),
        "text": ({"image": str(folder / "text.nii.gz"), "case_id": "case7"}, "text.nii.gz cannot be read"),
        "empty": ({"image": str(folder / "void.nii.gz"), "case_id": "case7"}, "void.nii.gz cannot be read"),
        "gone": ({"image": str(folder / "gone.nii.gz"), "case_id": "case7"}, "gone.nii.gz does not exist"),
        "2D": (save(folder / "flat.nii.gz", volume(4, 5)), "flat.nii.gz is 2D"),
        "one slice": (save(folder / "slice.nii.gz", volume(4, 5, 1)), "slice.nii.gz is 2D"),
        "4D": (save(folder / "film.nii.gz", volume(4, 5, 6, 3)), "film.nii.gz has 4 axes (4 x 5 x 6 x 3)"),
        "NaN": (save(folder / "nan.nii.gz", holes), "nan.nii.gz has 3 voxels that are NaN or infinite"),
        "affine": (without_thickness(folder / "aff.nii.gz"), "no usable affine"),
    }


KINDS = ["truncated", "truncated plain", "text", "empty", "gone", "2D", "one slice", "4D", "NaN", "affine"]


@pytest.mark.parametrize("kind", KINDS)
def test_faults_name_the_case_and_the_file(tmp_path, kind):
    item, words = bad_items(tmp_path)[kind]
    with pytest.raises(T3DError) as caught:
        LoadVolumed()(item)
    assert str(caught.value).startswith("case case7: image ") and words in str(caught.value)


@pytest.mark.parametrize("workers", [0, 1])
def test_words_survive_compose_and_workers(tmp_path, workers):
    item = truncated(tmp_path / "cut.nii.gz")
    loader = DataLoader(Dataset([item], Compose([LoadVolumed()])), num_workers=workers)
    with pytest.raises(RuntimeError) as caught:
        list(loader)
    with pytest.raises(T3DError) as direct:
        LoadVolumed()(item)
    assert plain_message(caught.value) == str(direct.value)


def test_real_ct_loads(shared_data):
    files = sorted(shared_data.glob("totalseg_torso_3mm/**/*.nii.gz"))
    if not files:
        pytest.skip("no torso CT in the shared data")
    loaded = LoadVolumed()({"image": str(files[0]), "case_id": "torso"})["image"]
    assert loaded.ndim == 4 and loaded.shape[0] == 1
