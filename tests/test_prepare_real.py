"""Real CTs of the shared data through `t3d prepare`."""

import json

import nibabel as nib
import numpy as np
import pytest
from monai.transforms import Compose, Orientationd, Spacingd

pytest.importorskip("blosc2")
from t3d.prepare.case import prepare_case  # noqa: E402
from t3d.prepare.cohort import prepare_cohort  # noqa: E402
from t3d.volume.load import LoadVolumed  # noqa: E402
from t3d.volume.store import open_stored  # noqa: E402

SPACING = [4.0, 4.0, 4.0]
# TotalSegmentator's numbers
SPLEEN, LIVER = 1, 5


# label files of the shared data, by the image they lie beside
LABELS = {
    "totalseg_torso_3mm/ct.nii.gz": "seg117.nii.gz",
    "totalseg_body_dicom20/ct.nii.gz": "seg117.nii.gz",
    "totalseg_thoracic_aorta_1p5mm/ct.nii.gz": "labels.nii.gz",
    "lidc_0314_chest/ct_2p5mm.nii.gz": "nodule_2p5mm.nii.gz",
    "lidc_0314_chest/nodule_crop_native_ct.nii.gz": "nodule_crop_native_mask.nii.gz",
    "elastix_lung/ct.nii.gz": "lungbox_mask.nii.gz",
}


def label_of(image):
    name = LABELS.get(f"{image.parent.name}/{image.name}")
    return {"label": str(image.with_name(name))} if name else {}


def test_every_real_ct_equals_the_plain_pipeline(shared_data, tmp_path):
    files = sorted(shared_data.glob("*/*ct*.nii.gz"))
    assert len(files) >= 5
    items = [{"case_id": f"{file.parent.name}_{file.name}", "image": str(file), **label_of(file)} for file in files]
    assert sum("label" in item for item in items) >= 5
    (tmp_path / "datalist.json").write_text(json.dumps({"training": items}))
    outcome = prepare_cohort(tmp_path / "datalist.json", tmp_path / "out", spacing=SPACING)
    assert not outcome.failed
    plain = Compose(
        [LoadVolumed(), Orientationd("image", axcodes="RAS"), Spacingd("image", pixdim=SPACING, mode="bilinear")]
    )
    for item in items:
        stored = open_stored(tmp_path / "out/volumes" / f"{item['case_id']}.b2nd")
        whole = plain(item)["image"]
        if "label" in item:
            label = open_stored(tmp_path / "out/labels" / f"{item['case_id']}.b2nd")[:]
            assert label.shape == stored.shape and label.any()
            assert set(np.unique(label)) <= set(np.unique(np.asarray(nib.load(item["label"]).dataobj)))
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


def test_a_dicom_series_equals_the_file_it_was_written_from(shared_data, tmp_path):
    pytest.importorskip("pydicom")
    from dicom_writer import write_series

    image = nib.load(shared_data / "totalseg_body_dicom20" / "ct.nii.gz")
    hu = np.asarray(image.dataobj)[::2, ::2, ::2].round().astype(np.int16) // 2 * 2  # the series' slope is 2
    affine = write_series(tmp_path / "series", hu, spacing=(1.5, 1.5, 3.0))
    nib.save(nib.Nifti1Image(hu, affine), tmp_path / "file.nii.gz")
    items = [{"case_id": name, "image": name} for name in ("series", "file.nii.gz")]
    (tmp_path / "datalist.json").write_text(json.dumps({"training": items}))
    assert not prepare_cohort(tmp_path / "datalist.json", tmp_path / "out", spacing=SPACING).failed
    series, file = (open_stored(tmp_path / "out/volumes" / f"{item['case_id']}.b2nd") for item in items)
    assert series.shape == file.shape and np.abs(series[:].astype(int) - file[:]).max() <= 1
    assert np.ptp(file[:]) > 1000
