import json

import pytest

from t3d.bundle.items import finding_items, given_items, labelled_items, measured_items
from t3d.errors import T3DError


@pytest.fixture
def datalist(tmp_path):
    items = [
        {"case_id": 7, "patient_id": 0, "image": "a.nii.gz", "label": "b.nii.gz", "report": "secret", "more": 1},
        {"case_id": "x", "image": "c.nii.gz"},
    ]
    for name in "abc":
        (tmp_path / f"{name}.nii.gz").write_bytes(b"some")
    file = tmp_path / "datalist.json"
    test = [{**item, "case_id": f"t{item['case_id']}", "patient_id": f"t{item['case_id']}"} for item in items]
    file.write_text(json.dumps({"training": items, "validation": [], "test": test}))
    return file


def test_images_and_labels_of_a_list_with_their_folder_and_nothing_else(datalist):
    folder = datalist.parent
    assert labelled_items(datalist, "training") == [
        {
            "case_id": "7", "patient_id": "0", "image": str(folder / "a.nii.gz"), "label": str(folder / "b.nii.gz")
        },
        {"case_id": "x", "patient_id": "x", "image": str(folder / "c.nii.gz")},
    ]  # fmt: skip


def test_without_data_a_bundle_opens_empty_and_broken_data_is_said(datalist, tmp_path):
    assert labelled_items(tmp_path / "nowhere.json", "training") == []
    assert labelled_items(datalist, "validation") == labelled_items(datalist, "other") == []
    datalist.write_text("{")
    with pytest.raises(T3DError, match=r"datalist.json is no datalist: it is not valid JSON"):
        labelled_items(datalist, "training")


def listed(folder, *, unknown=()):
    """Ten patients in each list, the finding in every third."""
    items = {
        split: [
            {
                "case_id": f"{split}{number}",
                "patient_id": f"{split}{number}",
                "image": "a.nii.gz",
                "label": "a.nii.gz",
                "findings": {"cyst": None if number in unknown else int(number % 3 == 0)},
            }
            for number in range(10)
        ]
        for split in ("training", "validation", "test")
    }
    (folder / "a.nii.gz").write_bytes(b"some")
    (folder / "datalist.json").write_text(json.dumps(items))
    return folder / "datalist.json"


def segmentation(file, split, **options):
    return labelled_items(file, split, **options)


def classification(file, split, **options):
    return finding_items(file, split=split, names=["cyst"], **options)


@pytest.mark.parametrize("items_of", [segmentation, classification])
def test_a_share_of_validation_is_nested_and_stands_in_the_record_beside_that_of_training(items_of, tmp_path):
    file, before = listed(tmp_path), set()
    for fraction, count in ((0.01, 1), (0.2, 2), (0.5, 5), (1, 10)):
        record_file = tmp_path / f"{fraction}.json"
        options = {"fraction": fraction, "seed": 3, "record_file": record_file}
        kept = {
            split: {item["case_id"] for item in items_of(file, split, **options)}
            for split in ("validation", "training")
        }
        assert before <= kept["validation"] and {len(cases) for cases in kept.values()} == {count}
        before = kept["validation"]
        if fraction == 1:
            assert not record_file.exists()
            continue
        record = json.loads(record_file.read_text())
        assert set(record["cases"]) == kept["training"] and set(record["validation"]["cases"]) == kept["validation"]
        assert record["of"] == record["validation"]["of"] == {"patients": 10, "cases": 10}
        text = record_file.read_bytes()
        items_of(file, "training", **options)
        with pytest.raises(T3DError, match=r"another subset of the validation list \(fraction"):
            items_of(file, "validation", **{**options, "fraction": 0.9})
        assert record_file.read_bytes() == text
    assert items_of(file, "validation", fraction=1, seed=3) == items_of(file, "validation")


def test_a_single_validation_case_knows_a_finding_whatever_the_seed(tmp_path):
    # one patient of ten knows nothing: as the rarest class it would come first
    file = listed(tmp_path, unknown=(1, 2, 4, 5, 7, 8))
    for seed in range(10):
        (item,) = classification(file, "validation", fraction=0.01, seed=seed)
        assert item["label"] in ([0.0], [1.0])
    assert len(classification(file, "validation")) == 10


def test_what_is_measured_keeps_its_label_as_a_file(datalist):
    found = measured_items(datalist, "test")
    assert [item.pop("label_file", None) for item in found] == [str(datalist.parent / "b.nii.gz"), None]
    assert found == given_items(datalist.parent)


def test_volumes_of_a_folder_or_of_a_list(datalist, tmp_path):
    wanted = [str(datalist.parent / f"{name}.nii.gz") for name in "ac"]
    for originals in (False, True):
        found = given_items(datalist.parent, originals=originals)
        assert [item["image"] for item in found] == wanted
        assert all(set(item) == {"case_id", "patient_id", "image"} for item in found)
    datalist.unlink()
    assert [item["case_id"] for item in given_items(tmp_path)] == ["a", "b", "c"]
