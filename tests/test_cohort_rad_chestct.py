import nibabel as nib
import numpy as np
import pytest
from cohort_trees import cases, not_found, run, table

from t3d.errors import T3DError

COLUMNS = ("nodule*right_lung", "nodule*left_lung", "pleural_effusion*other")


def labels(*rows):
    return [{"NoteAcc_DEID": case, **dict(zip(COLUMNS, values, strict=True))} for case, values in rows]


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "rad"
    root.mkdir()
    for case in ("trn00001", "trn00002", "val00001", "tst00001", "trn00009"):
        ct = np.full((4, 5, 6), -1000, np.int16)
        ct[0, 0, 0] = 77  # the most superior, anterior and right voxel
        np.savez_compressed(root / f"{case}.npz", ct=ct)
    (root / "trn00004.npz").write_bytes(b"broken")
    start = "Abnormality_and_Location_Labels.csv"
    table(
        root / f"imgtrain_{start}",
        labels(("trn00001", (0, 1, 0)), ("trn00002", (0, 0, 1)), ("trn00003", (0, 0, 0)), ("trn00004", (0, 0, 0))),
    )
    table(root / f"imgvalid_{start}", labels(("val00001", (1, 1, 0))))
    table(root / f"imgtest_{start}", labels(("tst00001", (0.0, 0.0, 0.0))))
    scans = ("trn00001", "trn00002", "val00001")
    table(
        root / "CT_Scan_Metadata_Complete_35747.csv",
        [{"NoteAcc_DEID": s, "MRN_DEID": f"P{s[-1]}{s[:3]}"} for s in scans],
    )
    return root


def test_volumes_get_a_header_and_findings_any_location(tree):
    out = tree / "datalist.json"
    datalist = run("rad_chestct", tree, out, "--convert_dir", str(tree / "nifti"))
    assert [cases(datalist, split) for split in ("training", "validation", "test")] == [
        ["trn00001", "trn00002"],
        ["val00001"],
        ["tst00001"],
    ]
    assert datalist["training"][0] == {
        "case_id": "trn00001",
        "patient_id": "P1trn",
        "image": "nifti/trn00001.nii.gz",
        "findings": {"nodule": 1, "pleural_effusion": 0},
    }
    assert datalist["test"][0]["findings"] == {"nodule": 0, "pleural_effusion": 0}
    image = nib.load(tree / "nifti" / "trn00001.nii.gz")
    assert image.shape == (6, 5, 4) and nib.aff2axcodes(image.affine) == ("L", "P", "I")
    assert image.header.get_zooms() == pytest.approx((0.8, 0.8, 0.8)) and image.get_data_dtype() == np.int16
    turned = nib.as_closest_canonical(image).get_fdata()  # axes run to the right, to anterior and to superior
    assert turned[-1, -1, -1] == 77 and (turned == 77).sum() == 1
    found = not_found(out)
    assert found["trn00003"] == "image is not there" and "no RAD-ChestCT volume" in found["trn00004"]
    assert found["trn00009"] == "file has no row in a label table"
    assert found["tst00001"] == "patient is not in CT_Scan_Metadata_Complete_35747.csv"


def test_a_second_run_makes_no_volume_again(tree):
    run("rad_chestct", tree, tree / "d.json", "--convert_dir", str(tree / "nifti"))
    file = tree / "nifti" / "trn00001.nii.gz"
    before = file.stat().st_mtime_ns
    run("rad_chestct", tree, tree / "e.json", "--convert_dir", str(tree / "nifti"))
    assert file.stat().st_mtime_ns == before


def test_what_it_refuses(tree):
    with pytest.raises(T3DError, match="no header; give --convert_dir"):
        run("rad_chestct", tree, tree / "d.json")
    table(tree / "imgvalid_Abnormality_and_Location_Labels.csv", labels(("val00001", (2, 0, 0))))
    with pytest.raises(T3DError, match="case val00001: finding nodule.right_lung is '2'; use 0, 1"):
        run("rad_chestct", tree, tree / "d.json", "--convert_dir", str(tree / "nifti"))
    for file in tree.glob("img*.csv"):
        file.unlink()
    with pytest.raises(T3DError, match="found no label table"):
        run("rad_chestct", tree, tree / "d.json", "--convert_dir", str(tree / "nifti"))
    for file in tree.glob("*.npz"):
        file.unlink()
    with pytest.raises(T3DError, match="found no .npz file"):
        run("rad_chestct", tree, tree / "d.json", "--convert_dir", str(tree / "nifti"))
