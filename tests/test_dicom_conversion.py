"""Awkward DICOM series give the right voxels at the right place, or one sentence."""

import logging

import nibabel as nib
import numpy as np
import pytest

pytest.importorskip("pydicom")
from dicom_writer import ct, write_enhanced, write_series  # noqa: E402
from monai.transforms import Compose, LoadImaged, Orientationd, Spacingd  # noqa: E402
from pydicom import dcmread  # noqa: E402
from pydicom.uid import generate_uid  # noqa: E402

from t3d.errors import T3DError, plain_message  # noqa: E402
from t3d.volume import in_words  # noqa: E402
from t3d.volume.image_file import open_image, read_header  # noqa: E402
from t3d.volume.load import LoadVolumed  # noqa: E402
from t3d.volume.reader import VolumeReader  # noqa: E402


@pytest.fixture(autouse=True)
def nothing_said_yet(monkeypatch):
    monkeypatch.setattr(in_words, "_said", set())


def found_at(image, affine, shape):
    """The voxels of an image where those of a grid lie, which must be voxels of the image too."""
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).reshape(-1, 3)
    back = np.linalg.inv(image.affine) @ affine @ np.c_[index, np.ones(len(index))].T
    np.testing.assert_allclose(back[:3], np.rint(back[:3]), atol=1e-2)
    return np.asarray(image.dataobj)[tuple(np.rint(back[:3]).astype(int))].reshape(shape)


def same(folder, affine, hu):
    image = open_image(folder)
    assert image.shape == hu.shape
    np.testing.assert_array_equal(found_at(image, affine, hu.shape), hu)
    return image


def edit(file, **values):
    data = dcmread(file)
    for key, value in values.items():
        setattr(data, key, value)
    data.save_as(file)


def halves(folder, **values):
    """The last half of the slices, by position, gets other values."""
    for file in sorted(folder.iterdir(), key=lambda f: f.name[-7:]):
        if int(file.stem[-3:]) >= 3:
            edit(file, **values)


@pytest.mark.parametrize(
    "change",
    [{"SliceThickness": 3}, {"SeriesDate": "20200102"}, {"SeriesNumber": 4}, {"AcquisitionNumber": 2}],
    ids=lambda change: next(iter(change)),
)
def test_a_series_that_changes_half_way_is_one_volume(tmp_path, change):
    affine = write_series(tmp_path / "s", ct(), SeriesDate="20200101", SeriesNumber=3, AcquisitionNumber=1)
    halves(tmp_path / "s", **change)
    same(tmp_path / "s", affine, ct())


@pytest.mark.parametrize("cut", [132, 128 + 4 + 0], ids=["preamble and mark", "all in front of the first element"])
def test_files_without_preamble_are_read(tmp_path, cut):
    affine = write_series(tmp_path / "s", ct())
    for file in sorted((tmp_path / "s").iterdir())[2:]:
        file.write_bytes(file.read_bytes()[cut:])
    same(tmp_path / "s", affine, ct())


@pytest.mark.parametrize("implicit", [False, True])
def test_files_without_any_meta_group_are_read(tmp_path, implicit):
    affine = write_series(tmp_path / "s", ct())
    for file in sorted((tmp_path / "s").iterdir())[2:]:
        data = dcmread(file)
        with open(file, "wb") as stream:
            from pydicom.filebase import DicomFileLike
            from pydicom.filewriter import write_dataset

            out = DicomFileLike(stream)
            out.is_little_endian, out.is_implicit_VR = True, implicit
            del data.file_meta
            write_dataset(out, data)
    same(tmp_path / "s", affine, ct())


def test_slice_numbers_and_file_names_do_not_order_slices(tmp_path):
    affine = write_series(tmp_path / "s", ct(), numbers=[1, 2, 4, 3, 5, 6])
    same(tmp_path / "s", affine, ct())
    for file in (tmp_path / "s").iterdir():
        data = dcmread(file)
        del data.InstanceNumber
        data.save_as(file)
    same(tmp_path / "s", affine, ct())


def test_a_folder_name_with_brackets(tmp_path):
    affine = write_series(tmp_path / "scan [1] (copy) *", ct())
    same(tmp_path / "scan [1] (copy) *", affine, ct())


def tilted_series(folder, hu):
    angle = np.radians(12)
    column = (0.0, np.cos(angle), -np.sin(angle))
    return write_series(folder, hu, column=column, step=(0.0, 0.0, 2.5), GantryDetectorTilt=-12)


def test_gantry_tilt_is_in_the_affine_and_is_said(tmp_path, caplog):
    affine = tilted_series(tmp_path / "s", ct())
    with caplog.at_level(logging.WARNING):
        image = same(tmp_path / "s", affine, ct())
        open_image(tmp_path / "s")
    np.testing.assert_allclose(image.affine, affine, atol=1e-4)
    (said,) = caplog.messages
    assert "tilted" in said and "12.0 degrees" in said and "GantryDetectorTilt is -12" in said
    assert "12.0 degrees" in read_header(tmp_path / "s").doubts[0]


def test_a_tilted_volume_is_straight_after_resampling(tmp_path):
    """A linear field of the patient's millimetres is the same field on the straight grid."""
    shape = (24, 24, 24)
    affine = tilted_series(tmp_path / "a", np.zeros(shape))
    index = np.stack([*np.meshgrid(*map(np.arange, shape), indexing="ij"), np.ones(shape)], -1)
    millimetres = index @ affine.T
    tilted_series(tmp_path / "s", np.rint(millimetres @ np.array([3.0, 5, -4, 0]) / 2) * 2)
    steps = Compose([LoadVolumed(), Orientationd("image", axcodes="RAS"), Spacingd("image", pixdim=(1, 1, 2))])
    volume = steps({"image": str(tmp_path / "s"), "case_id": "k"})["image"]
    sides = np.asarray(volume.affine)[:3, :3]
    assert np.abs(sides.T @ sides - np.diag([1.0, 1, 4])).max() < 1e-4
    index = np.stack([*np.meshgrid(*map(np.arange, volume.shape[1:]), indexing="ij"), np.ones(volume.shape[1:])], -1)
    wanted = (index @ np.asarray(volume.affine).T) @ np.array([3.0, 5, -4, 0])
    back = np.linalg.inv(affine) @ np.asarray(volume.affine) @ index.reshape(-1, 4).T
    inside = ((back[:3] > 0.5) & (back[:3] < np.array(shape)[:, None] - 1.5)).all(0).reshape(volume.shape[1:])
    assert inside.mean() > 0.3
    assert np.abs(volume[0].numpy() - wanted)[inside].max() < 2.5  # rounding to even HU


def uneven_series(folder, along, **options):
    """Slices at given mm, whose HU grow by 10 a mm."""
    hu = np.broadcast_to(np.rint(np.array(along) * 5) * 2.0, (8, 8, len(along)))
    write_series(folder, hu, spacing=(1.0, 1.0, 2.0), origin=(0, 0, 0), **options)
    for file in folder.iterdir():
        edit(file, ImagePositionPatient=[0, 0, along[int(file.stem[-3:])]])


@pytest.mark.parametrize(
    ("along", "count"),
    [([0, 2, 4, 7, 9, 11, 13], 8), ([0, 2, 4, 6, 8, 13, 18, 23, 28], 15)],
    ids=["one wider gap", "another spacing from here on"],
)
def test_uneven_slices_are_interpolated_and_said(tmp_path, caplog, along, count):
    uneven_series(tmp_path / "s", along)
    with caplog.at_level(logging.WARNING):
        image = open_image(tmp_path / "s")
    assert image.shape == (8, 8, count) and f"interpolated to {count} slices" in caplog.text
    millimetres = (image.affine @ np.array([[0, 0, n, 1] for n in range(count)]).T)[2]
    np.testing.assert_allclose(millimetres[[0, -1]], [along[0], along[-1]])
    np.testing.assert_allclose(image.dataobj[3, 4, :], 10 * millimetres, atol=1e-2)
    np.testing.assert_allclose(np.asarray(image.dataobj), image.dataobj[:, :, 0:count])


def test_lost_slices_stay_an_error(tmp_path):
    for name, numbers in (("numbered", [1, 2, 4, 5, 6]), ("renumbered", [1, 2, 3, 4, 5])):
        uneven_series(tmp_path / name, [0, 2, 6, 8, 10], numbers=numbers)
        with pytest.raises(T3DError, match=r"slices are missing: 4.00 mm between slices 2 and .*slice_.*\.dcm"):
            open_image(tmp_path / name)


def test_slices_that_wander_sideways_are_refused(tmp_path):
    write_series(tmp_path / "s", ct())
    file = next(f for f in (tmp_path / "s").iterdir() if f.stem.endswith("003"))
    edit(file, ImagePositionPatient=[-80, -80, 47.5])
    with pytest.raises(T3DError, match="shifted sideways by up to 20.0 mm"):
        open_image(tmp_path / "s")


def test_a_truncated_slice_is_named_from_headers_alone(tmp_path):
    write_series(tmp_path / "s", ct())
    file = sorted((tmp_path / "s").iterdir())[4]
    whole = file.read_bytes()
    for length, words in (
        (len(whole) - 40, "truncated"),
        (300, "truncated"),
        (60, "no DICOM file"),
        (144, "damaged"),
        (0, "0 bytes"),
    ):
        file.write_bytes(whole[:length])
        with pytest.raises(T3DError, match=f"{file.name}.*{words}"):
            open_image(tmp_path / "s")


def test_the_largest_series_is_taken_and_said(tmp_path, caplog):
    uid = generate_uid()
    affine = write_series(tmp_path / "s", ct(), series=uid)
    write_series(tmp_path / "s", ct((20, 20, 2)), prefix="scout", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    write_series(tmp_path / "s", ct((12, 10, 3)), prefix="thick", origin=(-100, -80, 900))
    write_series(tmp_path / "s", ct((12, 10, 9)), prefix="pet", modality="PT")
    with caplog.at_level(logging.WARNING):
        same(tmp_path / "s", affine, ct())
    (said,) = caplog.messages
    assert uid in said and "6 slices" in said and "14 other slices" in said


def test_a_localizer_of_the_same_series_is_left_out(tmp_path):
    uid = generate_uid()
    affine = write_series(tmp_path / "s", ct(), series=uid)
    write_series(
        tmp_path / "s", ct((30, 30, 1)), series=uid, prefix="scout", column=(0, 0, -1),
        ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
    )  # fmt: skip
    same(tmp_path / "s", affine, ct())


def test_a_scan_in_two_series_is_not_cut_to_one(tmp_path):
    write_series(tmp_path / "s", ct())
    write_series(tmp_path / "s", ct((12, 10, 2)), prefix="rest", origin=(-100, -80, 40 + 6 * 2.5))
    with pytest.raises(T3DError, match="has 2 series"):
        open_image(tmp_path / "s")


def test_a_report_among_the_slices_is_left_out_and_said(tmp_path, caplog):
    affine = write_series(tmp_path / "s", ct())
    data = dcmread(next((tmp_path / "s").iterdir()))
    del data.Rows, data.PixelData
    data.Modality, data.SOPClassUID = "SR", "1.2.840.10008.5.1.4.1.1.88.67"
    data.save_as(tmp_path / "s" / "dose.dcm")
    with caplog.at_level(logging.WARNING):
        same(tmp_path / "s", affine, ct())
    assert "1 of modality SR" in caplog.text


@pytest.mark.parametrize("shuffled", [False, True])
def test_enhanced_multi_frame_files_are_read(tmp_path, shuffled):
    hu = ct()
    order = [3, 0, 5, 1, 4, 2] if shuffled else None
    affine = write_enhanced(tmp_path / "scan" / "enhanced.dcm", hu, order=order)
    same(tmp_path / "scan", affine, hu)
    same(tmp_path / "scan" / "enhanced.dcm", affine, hu)


def test_multi_frame_without_places_and_a_single_slice_are_refused(tmp_path):
    write_series(tmp_path / "s", ct(), NumberOfFrames=2)
    with pytest.raises(T3DError, match="multi-frame.*dcm2niix"):
        open_image(tmp_path / "s")
    write_series(tmp_path / "t", ct())
    with pytest.raises(T3DError, match="one slice of a series; set the path to the folder"):
        open_image(next((tmp_path / "t").iterdir()))


def test_each_slice_has_its_own_rescale(tmp_path):
    affine = write_series(tmp_path / "s", ct())
    halves(tmp_path / "s", RescaleIntercept=-1000)
    wanted = ct()
    wanted[..., 3:] += 24
    same(tmp_path / "s", affine, wanted)


def test_parts_of_a_series_are_read_alone(tmp_path):
    write_series(tmp_path / "s", ct())
    image = open_image(tmp_path / "s")
    whole = np.asarray(image.dataobj)
    for box in (np.s_[:, :, 2:4], np.s_[1:3, 4, ::2], np.s_[..., -1], np.s_[5], np.s_[:, :, 0:0]):
        np.testing.assert_array_equal(image.dataobj[box], whole[box])
    for file in (tmp_path / "s").iterdir():
        if not file.stem.endswith("002"):
            file.unlink()
    np.testing.assert_array_equal(image.dataobj[:, :, 2], whole[:, :, 2])


def test_load_image_with_our_reader_asks_no_other(tmp_path):
    """MONAI tries its other readers when one fails to open a file; a refusal of ours must stay one."""
    write_series(tmp_path / "s", ct((4, 4, 9)), skip=(3, 4))
    load = LoadImaged("image", reader=VolumeReader(), ensure_channel_first=True)
    with pytest.raises(T3DError) as caught:
        load({"image": str(tmp_path / "s")})
    assert "slices are missing" in plain_message(caught.value)
    affine = write_series(tmp_path / "t", ct())
    volume = load({"image": str(tmp_path / "t")})["image"]
    np.testing.assert_allclose(volume.affine, affine, atol=1e-4)
    np.testing.assert_array_equal(volume[0], ct())


def test_a_real_ct_written_as_dicom(tmp_path, shared_data):
    file = shared_data / "totalseg_torso_3mm" / "ct.nii.gz"
    if not file.is_file():
        pytest.skip("no torso CT in the shared data")
    image = nib.as_closest_canonical(nib.load(file))
    hu = np.rint(np.asarray(image.dataobj)[::2, ::2, 40:60] / 2).clip(-512, 1000) * 2
    spacing = np.array(image.header.get_zooms()) * (2, 2, 1)
    affine = write_series(tmp_path / "s", hu, spacing=tuple(float(f"{side:.6f}") for side in spacing))
    same(tmp_path / "s", affine, hu)
