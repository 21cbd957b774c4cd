"""Every kind of file through the one function that opens volumes."""

import gzip

import nibabel as nib
import numpy as np
import pytest
from monai.transforms import EnsureChannelFirstd, LoadImaged

from t3d.data.inference_cases import find_cases
from t3d.errors import T3DError
from t3d.volume.image_file import open_image, read_header
from t3d.volume.load import LoadVolumed
from t3d.volume.reader import VolumeReader

HU = np.random.default_rng(0).integers(-1000, 1000, (5, 6, 7)).astype(np.int16)
AFFINE = np.array([[-2.0, 0, 0, 10], [0, -2, 0, 20], [0, 0, 3, -30], [0, 0, 0, 1]])


def same(path, affine=AFFINE):
    header = read_header(path)
    assert header.faults == [] and header.shape == HU.shape
    np.testing.assert_allclose(header.affine, affine, atol=1e-5)
    np.testing.assert_array_equal(np.asarray(header.image.dataobj), HU)
    np.testing.assert_array_equal(np.asarray(open_image(path, keep_file_open=True).dataobj[:, :, 2:4]), HU[:, :, 2:4])


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_compression_is_seen_whatever_the_ending_says(tmp_path, kind):
    nib.save(kind(HU, AFFINE), tmp_path / "plain.nii")
    content = (tmp_path / "plain.nii").read_bytes()
    (tmp_path / "named.nii").write_bytes(gzip.compress(content))
    (tmp_path / "named.nii.gz").write_bytes(content)
    same(tmp_path / "named.nii")
    same(tmp_path / "named.nii.gz")
    (tmp_path / "cut.nii.gz").write_bytes(content[:-40])
    with pytest.raises(T3DError, match="cut.nii.gz cannot be read"):
        LoadVolumed()({"image": str(tmp_path / "cut.nii.gz")})


def test_endings_in_capitals_are_found_and_read(tmp_path):
    nib.save(nib.Nifti1Image(HU, AFFINE), tmp_path / "ct2.nii.gz")
    (tmp_path / "CT1.NII.GZ").write_bytes((tmp_path / "ct2.nii.gz").read_bytes())
    items = find_cases(tmp_path)
    assert [item["case_id"] for item in items] == ["CT1", "ct2"]
    for item in items:
        same(item["image"])


@pytest.mark.parametrize("shape", [(5, 6, 7, 1), (5, 6, 7, 1, 1)])
def test_further_axes_of_one_are_dropped_by_load_image_too(tmp_path, shape):
    nib.save(nib.Nifti1Image(HU.reshape(shape), AFFINE), tmp_path / "a.nii.gz")
    item = LoadImaged("image", reader=VolumeReader())({"image": str(tmp_path / "a.nii.gz")})
    assert item["image"].shape == HU.shape
    np.testing.assert_array_equal(EnsureChannelFirstd("image")(item)["image"], HU[None])


def test_our_reader_gives_what_monais_gives(tmp_path):
    nib.save(nib.Nifti1Image(HU, AFFINE), tmp_path / "a.nii.gz")
    ours, stock = (
        LoadImaged("image", **kw)({"image": str(tmp_path / "a.nii.gz")})["image"]
        for kw in ({"reader": VolumeReader()}, {})
    )
    np.testing.assert_array_equal(ours, stock)
    assert set(ours.meta) == set(stock.meta)
    for key, value in stock.meta.items():
        np.testing.assert_equal(np.asarray(ours.meta[key]), np.asarray(value))


def meta_image(folder, name):
    header = (
        "ObjectType = Image\nNDims = 3\nDimSize = 5 6 7\nElementSpacing = 2 2 3\nOffset = -10 -20 -30\n"
        "TransformMatrix = 1 0 0 0 1 0 0 0 1\nElementType = MET_SHORT\nElementByteOrderMSB = False\nElementDataFile = "
    )
    voxels = HU.tobytes(order="F")
    if name.endswith(".mha"):
        (folder / name).write_bytes((header + "LOCAL\n").encode() + voxels)
    else:
        (folder / name).write_text(header + "v.raw\n")
        (folder / "v.raw").write_bytes(voxels)
    return folder / name


def nrrd(folder, name, space="left-posterior-superior"):
    header = (
        f"NRRD0004\ntype: short\ndimension: 3\nspace: {space}\nsizes: 5 6 7\n"
        "space directions: (2,0,0) (0,2,0) (0,0,3)\n"
        "space origin: (-10,-20,-30)\nendian: little\nencoding: raw\n\n"
    )
    (folder / name).write_bytes(header.encode() + HU.tobytes(order="F"))
    return folder / name


@pytest.mark.parametrize("name", ["a.mha", "a.mhd", "a.nrrd"])
def test_files_of_slicer_and_itk_are_read_or_named(tmp_path, name):
    path = nrrd(tmp_path, name) if name.endswith("nrrd") else meta_image(tmp_path, name)
    try:
        image = open_image(path)
    except T3DError as error:
        assert f"{name} needs SimpleITK" in str(error) and "pip install SimpleITK" in str(error)
        return
    np.testing.assert_allclose(image.affine, AFFINE)
    same(path)


def test_pynrrd_turns_to_ras(tmp_path, monkeypatch):
    """With a stand-in for the package, whose answer is documented."""
    from t3d.volume import other_formats

    class Nrrd:
        @staticmethod
        def read(path):
            space = "right-anterior-superior" if path.endswith("ras.nrrd") else "left-posterior-superior"
            return HU, {"space": space, "space directions": np.diag([2.0, 2, 3]), "space origin": [-10, -20, -30]}

    monkeypatch.setattr(other_formats, "_installed", lambda name: Nrrd if name == "nrrd" else None)
    same(nrrd(tmp_path, "a.nrrd"))
    same(nrrd(tmp_path, "ras.nrrd"), np.array([[2.0, 0, 0, -10], [0, 2, 0, -20], [0, 0, 3, -30], [0, 0, 0, 1]]))


def test_pairs_are_read_and_other_kinds_are_named(tmp_path):
    nib.save(nib.Nifti1Pair(HU, AFFINE), tmp_path / "pair.img")
    same(tmp_path / "pair.img")
    same(tmp_path / "pair.hdr")
    nib.save(nib.AnalyzeImage(HU, AFFINE), tmp_path / "old.img")
    np.save(tmp_path / "a.npy", HU)
    (tmp_path / "a.txt").write_text("no image")
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04" + bytes(500))
    for name in ("old.img", "a.npy", "a.txt", "a.zip"):
        with pytest.raises(T3DError, match=f"^{name} is of a kind that T3D does not read; convert it to NIfTI"):
            open_image(tmp_path / name)
    with pytest.raises(T3DError, match="gone.nii.gz does not exist in"):
        open_image(tmp_path / "gone.nii.gz")
