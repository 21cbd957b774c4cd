import nibabel as nib
import numpy as np
import pytest

from t3d.errors import T3DError
from t3d.volume.label_volume import read_label_on_grid

SHAPE = (5, 6, 7)
AFFINE = np.array([[-0.8, 0.0, 0.0, 90.0], [0.0, 0.8, 0.1, -70.0], [0.0, -0.1, 2.0, 10.0], [0.0, 0.0, 0.0, 1.0]])


def labels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4, SHAPE).astype(np.uint8)


def write(folder, array, affine=AFFINE):
    file = folder / "label.nii.gz"
    nib.save(nib.Nifti1Image(array, affine), file)
    return file


def read(file, **options) -> np.ndarray:
    return read_label_on_grid(file, **{"shape": SHAPE, "affine": AFFINE, "case": "k1", "values": {1, 2, 3}, **options})


def test_values_as_stored(tmp_path):
    found = read(write(tmp_path, labels()))
    np.testing.assert_array_equal(found, labels())
    assert found.dtype == np.uint8


def test_turned_axes_are_turned_back(tmp_path):
    """A label stored in another order and direction, as converters of DICOM leave it, is the same label."""
    turned = nib.Nifti1Image(labels(), AFFINE).as_reoriented([[2, -1], [0, 1], [1, -1]])
    assert turned.shape != SHAPE
    file = tmp_path / "label.nii.gz"
    nib.save(turned, file)
    np.testing.assert_array_equal(read(file), labels())


def test_scaled_floats_of_whole_numbers(tmp_path):
    image = nib.Nifti1Image(labels().astype(np.float32), AFFINE)
    nib.save(image, tmp_path / "f.nii.gz")
    found = read(tmp_path / "f.nii.gz")
    np.testing.assert_array_equal(found, labels())
    assert np.issubdtype(found.dtype, np.integer)
    np.testing.assert_array_equal(read(write(tmp_path, labels()[..., None])), labels())


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"shape": (5, 6, 8)}, ["5 x 6 x 7", "5 x 6 x 8", "different grids"]),
        ({"affine": AFFINE + np.eye(4, k=3) * 0.5}, ["up to 0.50 mm apart", "[-0.8, 0.0, 0.0, 90.5]", "90.0]"]),
        ({"values": {1, 2}}, ["outside the label table (3)"]),
    ],
    ids=["shape", "affine", "values"],
)
def test_refused(tmp_path, options, parts):
    file = write(tmp_path, labels())
    with pytest.raises(T3DError) as caught:
        read(file, **options)
    for part in ["case k1: label label.nii.gz", *parts]:
        assert part in str(caught.value)


def test_rounded_affine_is_the_same_grid(tmp_path):
    read(write(tmp_path, labels()), affine=AFFINE + 1e-4)


@pytest.mark.parametrize(
    ("array", "part"),
    [
        (np.where(labels() == 1, 0.5, labels()), "no whole numbers"),
        (np.where(labels() == 1, np.nan, labels()), "no whole numbers"),
        (np.where(labels() == 1, -1, labels().astype(np.int16)), "outside the label table (-1)"),
        (np.where(labels() == 1, 70000, labels().astype(np.int32)), "outside the label table (70000)"),
        (np.zeros((5, 6, 7, 2), np.uint8), "4 axes"),
    ],
    ids=["between", "nan", "negative", "large", "4D"],
)
def test_bad_values(tmp_path, array, part):
    with pytest.raises(T3DError) as caught:
        read(write(tmp_path, array))
    assert part in str(caught.value)


def test_truncated_file(tmp_path):
    file = write(tmp_path, labels())
    file.write_bytes(file.read_bytes()[:150])
    with pytest.raises(T3DError, match="case k1: label label.nii.gz cannot be read"):
        read(file)
