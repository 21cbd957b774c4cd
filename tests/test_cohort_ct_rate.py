import logging
import shutil

import pytest
from cohort_trees import cases, not_found, run, table, volume

from t3d.data.datalist import load_datalist
from t3d.errors import T3DError

NODULE, EFFUSION = "Lung nodule", "Pleural effusion"


def report(name, findings="Clear lungs.", impression="Normal.", information="Not given."):
    return {
        "VolumeName": f"{name}.nii.gz",
        "ClinicalInformation_EN": information,
        "Technique_EN": "1.5 mm.",
        "Findings_EN": findings,
        "Impressions_EN": impression,
    }


@pytest.fixture
def tree(tmp_path):
    """Nine rows of train (some with faults) and one of valid; twelve patients would be too many to check by eye."""
    data = tmp_path / "CT-RATE" / "dataset"
    names = [
        "train_1_a_1",
        "train_1_a_2",
        "train_1_b_1",
        "train_2_a_1",
        "train_10_a_1",
        "train_11_a_1",
        "train_12_a_1",
    ]
    for name in names:
        patient, scan = name.rsplit("_", 2)[0], name.rsplit("_", 1)[0]
        volume(data / "train_fixed" / patient / scan / f"{name}.nii.gz")
    volume(data / "train_fixed/train_11/train_11_a/train_11_a_1.nii.gz", b"")
    volume(data / "train_fixed/train_99/train_99_a/train_99_a_1.nii.gz")
    volume(data / "valid_fixed/valid_1/valid_1_a/valid_1_a_1.nii.gz")
    texts = data / "radiology_text_reports"
    rows = [report(name) for name in names]
    rows[4] = report("train_10_a_1", "Not given.", "")
    table(texts / "train_reports.csv", [*rows, rows[0], report("train_13_a_1"), report("odd")])
    table(texts / "validation_reports.csv", [report("valid_1_a_1", "A nodule, 4 mm.", "")])
    labels = data / "multi_abnormality_labels"
    table(
        labels / "train_predicted_labels.csv",
        [{"VolumeName": f"{name}.nii.gz", NODULE: int(name < "train_1_b"), EFFUSION: 0} for name in names[:-1]],
    )
    table(labels / "valid_predicted_labels.csv", [{"VolumeName": "valid_1_a_1.nii.gz", NODULE: 1, EFFUSION: ""}])
    volume(data / "metadata/no_chest_train.txt", b"train_2/train_2_a/train_2_a_1.nii.gz\n")
    return tmp_path / "CT-RATE"


def test_lists_reports_findings_and_everything_not_found(tree, caplog):
    out = tree / "datalist.json"
    with caplog.at_level(logging.INFO, logger="t3d"):
        datalist = run("ct_rate", tree, out, "--validation_share", "0")
    assert cases(datalist, "training") == ["train_1_a_1", "train_1_a_2", "train_1_b_1", "train_12_a_1"]
    assert datalist["validation"] == [] and cases(datalist, "test") == ["valid_1_a_1"]
    assert datalist["training"][1] == {
        "case_id": "train_1_a_2",
        "patient_id": "train_1",
        "image": "dataset/train_fixed/train_1/train_1_a/train_1_a_2.nii.gz",
        "study_id": "train_1_a",
        "report": "FINDINGS:\nClear lungs.\nIMPRESSION:\nNormal.",
        "findings": {NODULE: 1, EFFUSION: 0},
    }
    assert datalist["test"][0]["report"] == "FINDINGS:\nA nodule, 4 mm."
    assert datalist["test"][0]["findings"] == {NODULE: 1, EFFUSION: None}
    assert not_found(out) == {
        "train_1_a_1": "is in train_reports.csv twice",
        "train_2_a_1": "no chest CT, says metadata/no_chest_train.txt",
        "train_10_a_1": "report is empty",
        "train_11_a_1": "image train_11_a_1.nii.gz has 0 bytes",
        "train_12_a_1": "findings are not in train_predicted_labels.csv",
        "train_13_a_1": "image is not there",
        "odd": "VolumeName is not of the form train_1_a_1.nii.gz",
        "train_99_a_1": "file has no row in train_reports.csv",
    }
    assert "8 things are not as they should be, 6 cases are left out" in caplog.text
    assert "training: 4 cases of 2 patients, 4 with a report" in caplog.text
    assert "Clear lungs" not in caplog.text
    # what it wrote is a datalist the training takes
    assert len(load_datalist(out, "training")) == 4


def test_validation_is_a_part_of_the_training_patients(tree):
    datalist = run("ct-rate", tree, tree / "d.json", "--validation_share", "0.5")
    first, second = (set(item["patient_id"] for item in datalist[name]) for name in ("training", "validation"))
    assert len(first) == len(second) == 1 and first | second == {"train_1", "train_12"}


def test_one_reconstruction_per_scan(tree):
    out = tree / "d.json"
    datalist = run(
        "ct_rate", tree, out, "--one_per_scan", "true", "--keep_without_report", "true", "--validation_share=0"
    )
    assert cases(datalist, "training") == ["train_1_a_1", "train_1_b_1", "train_10_a_1", "train_12_a_1"]
    assert "report" not in datalist["training"][2]
    assert not_found(out)["train_1_a_2"].startswith("another reconstruction of scan train_1_a")


def test_the_first_release_is_refused(tree):
    for part in ("train", "valid"):
        shutil.move(tree / "dataset" / f"{part}_fixed", tree / "dataset" / part)
    with pytest.raises(T3DError, match="first release of CT-RATE.*no rescale.*train_fixed"):
        run("ct_rate", tree, tree / "d.json")


def test_without_labels_and_lists_of_head_cts_it_says_so(tree, caplog):
    shutil.rmtree(tree / "dataset/multi_abnormality_labels")
    (tree / "dataset/metadata/no_chest_train.txt").unlink()
    with caplog.at_level(logging.INFO, logger="t3d"):
        datalist = run("ct_rate", tree / "dataset", tree / "d.json", "--validation_share", "0")
    assert "train_2_a_1" in cases(datalist, "training") and "findings" not in datalist["test"][0]
    assert "head CTs among the volumes are not left out" in caplog.text
    assert "train_predicted_labels.csv is not there" in caplog.text


def test_a_table_that_is_missing_or_has_other_columns(tree):
    file = tree / "dataset/radiology_text_reports/train_reports.csv"
    table(file, [{"VolumeName": "train_1_a_1.nii.gz", "Findings": "Clear."}])
    with pytest.raises(T3DError, match="no column Findings_EN, Impressions_EN; it has VolumeName, Findings"):
        run("ct_rate", tree, tree / "d.json")
    file.unlink()
    with pytest.raises(T3DError, match="train_reports.csv does not exist"):
        run("ct_rate", tree, tree / "d.json")
    shutil.rmtree(tree / "dataset/train_fixed")
    shutil.rmtree(tree / "dataset/valid_fixed")
    with pytest.raises(T3DError, match="neither train_fixed nor valid_fixed; expected .*Correct --root"):
        run("ct_rate", tree, tree / "d.json")
