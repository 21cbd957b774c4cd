import logging
import struct

import nibabel as nib
import numpy as np
import pytest
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged, Orientationd, Spacingd

from t3d.errors import T3DError
from t3d.prepare.case import prepare_case
from t3d.volume import in_words
from t3d.volume.label_checks import check_labels
from t3d.volume.label_on_image import LabelOnImaged
from t3d.volume.load import LoadVolumed
from t3d.volume.reader import VolumeReader
from t3d.volume.store import open_stored

SHAPE = (12, 14, 10)
LPS = np.array([[-2.0, 0, 0, 30], [0, -2, 0, 40], [0, 0, 3, -20], [0, 0, 0, 1]])
LABEL = np.random.default_rng(0).integers(0, 3, SHAPE).astype(np.uint8)
HU = np.where(LABEL == 0, -1000, 40 * LABEL.astype(int)).astype(np.int16)


@pytest.fixture(autouse=True)
def nothing_said_yet(monkeypatch):
    monkeypatch.setattr(in_words, "_said", set())


@pytest.fixture
def case(tmp_path):
    def make(codes="LPS", *, shift=(0, 0, 0), name="k"):
        nib.save(nib.Nifti1Image(HU, LPS), tmp_path / f"{name}.nii.gz")
        turn = nib.orientations.ornt_transform(nib.io_orientation(LPS), nib.orientations.axcodes2ornt(codes))
        label = nib.Nifti1Image(LABEL, LPS).as_reoriented(turn)
        affine = label.affine.copy()
        affine[:3, 3] += shift
        nib.save(nib.Nifti1Image(np.asarray(label.dataobj), affine), tmp_path / f"{name}_label.nii.gz")
        return {
            "case_id": name,
            "image": str(tmp_path / f"{name}.nii.gz"),
            "label": str(tmp_path / f"{name}_label.nii.gz"),
        }

    return make


LOADERS = {
    "LoadVolumed": lambda: LoadVolumed(["image", "label"]),
    "LoadImaged": lambda: Compose([
        LoadImaged(["image", "label"], reader=VolumeReader()), EnsureChannelFirstd(["image", "label"]),
        LabelOnImaged(),
    ]),
}  # fmt: skip


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("codes", ["LPS", "RAS", "PSR", "LAS"])
def test_labels_come_out_on_the_voxels_of_the_image(case, loader, codes):
    item = LOADERS[loader]()(case(codes, shift=(0.02, 0, 0)))
    np.testing.assert_array_equal(item["label"][0], LABEL)
    np.testing.assert_array_equal(item["label"].affine, item["image"].affine)
    steps = [Orientationd(["image", "label"], axcodes="RAS"), Spacingd(["image", "label"], pixdim=(1.7, 1.3, 2.2))]
    resampled = Compose(steps)(item)
    assert resampled["image"].shape == resampled["label"].shape


def test_a_label_beside_its_image_is_said_once(case, caplog):
    load = LoadVolumed(["image", "label"])
    with caplog.at_level(logging.WARNING, "t3d"):
        load(case())
        assert not any("beside" in message for message in caplog.messages)
        for _ in range(2):
            load(case(shift=(0.02, 0, 0)))
    assert [message for message in caplog.messages if "beside" in message] == [
        "case k: the label lies 0.020 mm beside the image; the image's affine is taken"
    ]


def test_a_label_elsewhere_is_refused_at_loading(case):
    with pytest.raises(T3DError, match="case k: label and image have different affines.*1.00 mm"):
        LoadVolumed(["image", "label"])(case(shift=(0, 1, 0)))


@pytest.mark.parametrize("codes", ["LPS", "RAS", "PSR"])
def test_prepared_labels_are_turned_too(case, tmp_path, codes):
    stored = []
    for number, (axes, shift) in enumerate((("LPS", (0, 0, 0)), (codes, (0.02, 0, 0)))):
        item = case(axes, shift=shift, name=f"k{number}")
        settings = {"spacing": (1.7, 1.3, 2.2), "lesion_values": (), "seed": 0}
        prepare_case(item, folder=str(tmp_path), out_dir=str(tmp_path / "out"), settings=settings, allow_no_hu=True)
        stored.append(open_stored(tmp_path / f"out/labels/k{number}.b2nd"))
    np.testing.assert_array_equal(stored[0][:], stored[1][:])
    np.testing.assert_array_equal(stored[0].affine, stored[1].affine)


def test_a_label_scaled_by_a_hundredth_holds_whole_numbers(case, tmp_path):
    item = case()
    path = tmp_path / "k_label.nii"
    nib.save(nib.Nifti1Image(LABEL.astype(np.int16) * 100, LPS), path)
    data = bytearray(path.read_bytes())
    struct.pack_into("<2f", data, 112, 0.01, 0.0)
    path.write_bytes(bytes(data))
    item["label"] = str(path)
    assert (np.asarray(nib.load(path).dataobj) != LABEL).any()
    assert check_labels([item], [], table={"a": 1, "b": 2}) == {"a": 1, "b": 1}
    np.testing.assert_array_equal(LoadVolumed(["image", "label"])(item)["label"][0], LABEL)
    settings = {"spacing": (2, 2, 3), "lesion_values": (), "seed": 0}
    record = prepare_case(item, folder=str(tmp_path), out_dir=str(tmp_path / "o"), settings=settings, allow_no_hu=True)
    assert record["labels"] == {str(n): int((LABEL == n).sum()) for n in range(3)}


def test_a_dicom_series_with_a_nifti_label(tmp_path):
    pytest.importorskip("pydicom")
    from dicom_writer import ct, write_series

    hu = ct()
    affine = write_series(tmp_path / "scan", hu)
    label = (hu > 0).astype(np.uint8)
    turn = nib.orientations.ornt_transform(nib.io_orientation(affine), nib.orientations.axcodes2ornt("RAS"))
    nib.save(nib.Nifti1Image(label, affine).as_reoriented(turn), tmp_path / "label.nii.gz")
    item = {"case_id": "k", "image": str(tmp_path / "scan"), "label": str(tmp_path / "label.nii.gz")}
    assert check_labels([item], [], table={"a": 1}) == {"a": 1}
    loaded = LoadVolumed(["image", "label"])(item)
    np.testing.assert_array_equal(loaded["label"], loaded["image"] > 0)
    nib.save(nib.Nifti1Image(label[:, :, :-1], affine), tmp_path / "label.nii.gz")
    with pytest.raises(T3DError, match="label has shape"):
        check_labels([item], [], table={"a": 1})
