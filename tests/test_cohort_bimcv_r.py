import pytest
from cohort_trees import cases, not_found, run, table, volume

from t3d.errors import T3DError


def name(patient, session="E1", run=1):
    return f"sub-S{patient}_ses-{session}_acq-1_run-{run}_bp-chest_ct.nii.gz"


@pytest.fixture
def tree(tmp_path):
    rows = []
    for patient in range(10):
        file = volume(tmp_path / f"CT{patient % 2}" / "ct" / name(patient))
        rows.append({"": patient, "path": f"/old/place/{file.name}", "Report_en": f"Clear lungs {patient}."})
    rows += [
        rows[0],
        {"": 11, "path": name(11), "Report_en": "No file."},
        {"": 12, "path": name(12), "Report_en": "nan"},
        {"": 13, "path": "scan.nii.gz", "Report_en": "No patient."},
        {"": 14, "path": name(14), "Report_en": "Twice."},
    ]
    for file in (name(12), "scan.nii.gz", name(14), name(15)):
        volume(tmp_path / "CT0" / "ct" / file)
    volume(tmp_path / "CT1" / "ct" / name(14))
    table(tmp_path / "meta" / "curated_ct_report_path_En.csv", rows)
    return tmp_path


def test_cases_by_file_name_and_splits_by_patient(tree):
    out = tree / "datalist.json"
    datalist = run("bimcv_r", tree, out)
    lists = {split: cases(datalist, split) for split in ("training", "validation", "test")}
    assert {split: len(names) for split, names in lists.items()} == {"training": 7, "validation": 1, "test": 2}
    assert sorted(sum(lists.values(), [])) == [name(patient).removesuffix(".nii.gz") for patient in range(10)]
    item = next(item for items in datalist.values() for item in items if item["patient_id"] == "sub-S3")
    assert item["image"] == f"CT1/ct/{name(3)}" and item["report"] == "Clear lungs 3."
    assert item["study_id"] == "sub-S3_ses-E1"
    found = {case.split("_acq")[0]: what for case, what in not_found(out).items()}
    assert found == {
        "sub-S0_ses-E1": "is in curated_ct_report_path_En.csv twice",
        "sub-S11_ses-E1": "image is not there",
        "sub-S12_ses-E1": "report is empty",
        "scan": "name does not begin with sub-.._ses-.., so its patient is not known",
        "sub-S14_ses-E1": "file is there 2 times below the root",
        "sub-S15_ses-E1": "file has no row in curated_ct_report_path_En.csv",
    }
    assert run("bimcv_r", tree, out, "--overwrite", "true") == datalist
    assert run("bimcv_r", tree, out, "--overwrite", "true", "--seed", "1") != datalist


def test_two_reports_of_one_volume_are_refused(tree):
    rows = [{"path": name(1), "Report_en": text} for text in ("One.", "Another.")]
    table(tree / "meta" / "curated_ct_report_path_En.csv", rows)
    with pytest.raises(T3DError, match="sub-S1_.* has two different reports") as fault:
        run("bimcv_r", tree, tree / "d.json")
    assert "Another" not in str(fault.value)


def test_without_its_table(tree):
    (tree / "meta" / "curated_ct_report_path_En.csv").unlink()
    with pytest.raises(T3DError, match="found no curated_ct_report_path_En.csv; expected"):
        run("bimcv_r", tree, tree / "d.json")
