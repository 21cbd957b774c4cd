"""The adapters of MSD tasks, BTCV and AMOS: images and label files in folders."""

import json
from pathlib import Path

import pytest
from cohort_trees import cases, not_found, run, volume

from t3d.cohorts.btcv import LABELS
from t3d.data.datalist import load_datalist
from t3d.errors import T3DError
from t3d.volume.label_table import read_label_table

BUNDLE_LABELS = Path(__file__).parents[1] / "bundles" / "t3d_segmentation" / "configs" / "labels_btcv.json"


def dataset_json(folder: Path, **changes) -> None:
    numbers = [f"spleen_{number}" for number in (2, 3, 6, 8, 9, 10)]
    content = {
        "name": "Spleen",
        "modality": {"0": "CT"},
        "labels": {"0": "background", "1": "spleen, whole"},
        "training": [{"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"} for name in numbers],
        "test": ["./imagesTs/spleen_1.nii.gz"],
        **changes,
    }
    (folder / "dataset.json").write_text(json.dumps(content))


@pytest.fixture
def msd(tmp_path):
    task = tmp_path / "Task09_Spleen"
    for number in (2, 3, 6, 8, 9, 11):
        volume(task / "imagesTr" / f"spleen_{number}.nii.gz")
        volume(task / "imagesTr" / f"._spleen_{number}.nii.gz")
        volume(task / "labelsTr" / f"spleen_{number}.nii.gz")
    volume(task / "imagesTs" / "spleen_1.nii.gz")
    (task / "labelsTr" / "spleen_9.nii.gz").unlink()
    dataset_json(task)
    return task


def test_a_task_of_the_decathlon(msd):
    out = msd.parent / "datalist.json"
    datalist = run("msd", msd.parent, out, "--validation_share", "0.25")
    assert sorted(cases(datalist, "training") + cases(datalist, "validation")) == [
        "spleen_2", "spleen_3", "spleen_6", "spleen_8",
    ]  # fmt: skip
    assert len(datalist["validation"]) == 1 and datalist["test"] == []
    assert datalist["unlabelled"] == [
        {"case_id": "spleen_1", "patient_id": "spleen_1", "image": "Task09_Spleen/imagesTs/spleen_1.nii.gz"}
    ]
    item = datalist["validation"][0]
    assert item["label"] == f"Task09_Spleen/labelsTr/{item['case_id']}.nii.gz"
    assert not_found(out) == {
        "spleen_9": "label spleen_9.nii.gz is not there",
        "spleen_10": "image spleen_10.nii.gz is not there",
        "spleen_11": "file in imagesTr is not in dataset.json",
    }
    assert read_label_table(out.with_name("labels.json")) == {"background": [0], "spleen  whole": [1]}
    assert len(load_datalist(out, "unlabelled", need_report=False)) == 1


def test_a_test_list_from_the_training_cases(msd):
    datalist = run("msd", msd, msd / "d.json", "--test_share", "0.5", "--validation_share", "0.5")
    assert [len(datalist[name]) for name in ("training", "validation", "test")] == [1, 1, 2]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"modality": {"0": "FLAIR", "1": "T1w"}}, "the modality is FLAIR, T1w, not CT"),
        ({"labels": None}, 'has no "labels"'),
        ({"labels": {"one": "spleen"}}, "is no whole number"),
        ({"training": {}}, 'has no list "training"'),
        ({"training": ["a.nii.gz"]}, "is not {image, label}"),
    ],
)
def test_a_dataset_json_that_is_none(msd, changes, words):
    dataset_json(msd, **changes)
    with pytest.raises(T3DError, match=words):
        run("msd", msd, msd / "d.json")


def test_no_task_or_several(msd):
    (msd.parent / "Task10_Colon").mkdir()
    (msd.parent / "Task10_Colon" / "dataset.json").write_text("{,}")
    with pytest.raises(T3DError, match=r"holds 2 tasks \(Task09_Spleen, Task10_Colon\)"):
        run("msd", msd.parent, msd / "d.json")
    with pytest.raises(T3DError, match="is not valid JSON"):
        run("msd", msd.parent / "Task10_Colon", msd / "d.json")
    with pytest.raises(T3DError, match=r"holds 0 tasks \(none\)"):
        run("msd", msd / "imagesTr", msd / "d.json")


@pytest.mark.parametrize(
    ("images", "labels", "testing"),
    [("RawData/Training/img", "RawData/Training/label", "RawData/Testing/img"), ("imagesTr", "labelsTr", "imagesTs")],
)
def test_btcv_in_both_layouts(tmp_path, images, labels, testing):
    for number in range(1, 11):
        volume(tmp_path / images / f"img{number:04}.nii.gz")
        if number != 4:
            volume(tmp_path / labels / f"label{number:04}.nii.gz")
    volume(tmp_path / labels / "label0040.nii.gz")
    volume(tmp_path / testing / "img0061.nii.gz")
    out = tmp_path / "datalist.json"
    datalist = run("btcv", tmp_path, out)
    assert len(datalist["training"]) == 8 and len(datalist["validation"]) == 1
    assert cases(datalist, "unlabelled") == ["btcv_0061"]
    item = datalist["training"][0]
    assert item["label"] == f"{labels}/label{item['case_id'][-4:]}.nii.gz"
    assert not_found(out) == {
        "btcv_0004": "label label0004.nii.gz is not there",
        "btcv_0040": "label0040.nii.gz has no image",
    }
    assert json.loads(out.with_name("labels.json").read_text()) == LABELS


def test_btcv_organs_are_those_of_the_bundle():
    assert json.loads(BUNDLE_LABELS.read_text()) == LABELS


def test_btcv_elsewhere(tmp_path):
    volume(tmp_path / "images" / "img0001.nii.gz")
    with pytest.raises(T3DError, match="found no training images; expected RawData/Training"):
        run("btcv", tmp_path, tmp_path / "d.json")


@pytest.fixture
def amos(tmp_path):
    root = tmp_path / "amos22"
    for part, numbers in (("Tr", (1, 4, 499, 500, 507)), ("Va", (8, 13)), ("Ts", (2,))):
        for number in numbers:
            volume(root / f"images{part}" / f"amos_{number:04}.nii.gz")
            if part != "Ts" and number != 13:
                volume(root / f"labels{part}" / f"amos_{number:04}.nii.gz")
    volume(root / "imagesTr" / "amos_5514.nii.gz")
    volume(root / "labelsVa" / "amos_0014.nii.gz")
    labels = {"0": "background", "1": "spleen", "15": "prostate/uterus"}
    (root / "dataset.json").write_text(json.dumps({"labels": labels}))
    return tmp_path


def test_amos_without_its_mrs(amos):
    out = amos / "datalist.json"
    datalist = run("amos", amos, out)
    assert [cases(datalist, split) for split in ("training", "validation", "test", "unlabelled")] == [
        ["amos_0001", "amos_0004", "amos_0499"],
        ["amos_0008"],
        [],
        ["amos_0002"],
    ]
    assert not_found(out) == {
        "amos_0500": "MR (numbers from 500 on)",
        "amos_0507": "MR (numbers from 500 on)",
        "amos_5514": "name is not amos_0000 to amos_0599, so it may be CT or MR",
        "amos_0013": "label labelsVa/amos_0013.nii.gz is not there",
        "amos_0014": "labelsVa/amos_0014.nii.gz has no image",
    }
    assert read_label_table(out.with_name("labels.json"))["prostate uterus"] == [15]


def test_amos_with_test_labels_and_without_names(amos):
    volume(amos / "amos22" / "labelsTs" / "amos_0002.nii.gz")
    (amos / "amos22" / "dataset.json").unlink()
    datalist = run("amos", amos, amos / "datalist.json")
    assert cases(datalist, "test") == ["amos_0002"] and "unlabelled" not in datalist
    assert not (amos / "labels.json").exists()


def test_names_in_capitals_are_found(amos):
    images, labels = (amos / "amos22" / f"{kind}Tr" for kind in ("images", "labels"))
    (images / "amos_0004.nii.gz").rename(images / "amos_0004.NII.GZ")
    (labels / "amos_0001.nii.gz").rename(labels / "amos_0001.nii.GZ")
    datalist = run("amos", amos, amos / "datalist.json")
    assert cases(datalist, "training") == ["amos_0001", "amos_0004", "amos_0499"]
    found = {item["case_id"]: item for item in datalist["training"]}
    assert found["amos_0004"]["image"].endswith(".NII.GZ") and found["amos_0001"]["label"].endswith(".nii.GZ")


def test_a_spare_file_in_capitals_is_named(msd):
    (msd / "imagesTr" / "spleen_11.nii.gz").rename(msd / "imagesTr" / "spleen_11.NII.GZ")
    out = msd.parent / "datalist.json"
    run("msd", msd.parent, out, "--validation_share", "0.25")
    assert not_found(out)["spleen_11"] == "file in imagesTr is not in dataset.json"


def test_amos_refuses_a_share_for_a_list_it_has_and_a_broken_file(amos):
    with pytest.raises(T3DError, match="own validation list of 1 cases; leave out --validation_share"):
        run("amos", amos, amos / "d.json", "--validation_share", "0.2")
    (amos / "amos22" / "dataset.json").write_text("[]")
    with pytest.raises(T3DError, match="is no dataset.json of AMOS: it holds a list.*unpack the release again"):
        run("amos", amos, amos / "d.json")
    with pytest.raises(T3DError, match="found no imagesTr"):
        run("amos", amos / "amos22" / "imagesTr", amos / "d.json")
