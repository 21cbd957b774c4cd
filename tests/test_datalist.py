import json

import nibabel as nib
import numpy as np
import pytest

from t3d.data.datalist import check_headers, load_datalist
from t3d.data.inference_cases import find_cases
from t3d.errors import T3DError
from t3d.reports.command import reports
from t3d.volume.listed import is_prepared


def write_volume(path, shape=(4, 5, 6)):
    nib.save(nib.Nifti1Image(np.zeros(shape, dtype=np.int16), np.eye(4)), path)


@pytest.fixture
def cohort(tmp_path):
    """Folder with four good cases and the content of their datalist."""
    (tmp_path / "images").mkdir()
    content = {"training": [], "validation": [], "test": []}
    for number, split in enumerate(["training", "training", "validation", "test"]):
        write_volume(tmp_path / "images" / f"c{number}.nii.gz")
        item = {"case_id": f"c{number}", "patient_id": f"p{number}", "image": f"images/c{number}.nii.gz"}
        content[split].append({**item, "report": "FINDINGS: none."})
    return tmp_path, content


def save(folder, content):
    file = folder / "datalist.json"
    file.write_text(json.dumps(content))
    return file


def message(folder, content, **options):
    with pytest.raises(T3DError) as caught:
        load_datalist(save(folder, content), "training", **options)
    return str(caught.value)


def test_paths_become_absolute_and_other_entries_stay(cohort, monkeypatch):
    folder, content = cohort
    content["training"][0].update(label="images/c1.nii.gz", findings={"nodule": 1})
    del content["training"][1]["patient_id"]
    save(folder, content)
    monkeypatch.chdir(folder)
    first, second = load_datalist("datalist.json", "training")
    assert first == {
        "case_id": "c0",
        "patient_id": "p0",
        "image": str(folder / "images" / "c0.nii.gz"),
        "label": str(folder / "images" / "c1.nii.gz"),
        "report": "FINDINGS: none.",
        "findings": {"nodule": 1},
    }
    assert second["patient_id"] == "c1"


def test_numbers_as_ids_become_text(cohort):
    folder, content = cohort
    content["training"][0].update(case_id=7, patient_id=0)
    item = load_datalist(save(folder, content), "training")[0]
    assert (item["case_id"], item["patient_id"]) == ("7", "0")


def test_missing_file_broken_json_and_wrong_top_level(tmp_path):
    with pytest.raises(T3DError, match="does not exist; set dataset_dir"):
        load_datalist(tmp_path / "datalist.json", "training")
    file = tmp_path / "datalist.json"
    file.write_text('{"training": [{"report": "secret words" oops}]}')
    with pytest.raises(T3DError, match="not valid JSON .line 1, column 41") as caught:
        load_datalist(file, "training")
    assert "secret" not in str(caught.value) and caught.value.__cause__ is None
    file.write_text("[]")
    with pytest.raises(T3DError, match="holds a list"):
        load_datalist(file, "training")
    file.write_text('{"training": {}}')
    with pytest.raises(T3DError, match='"training" is not a list'):
        load_datalist(file, "training")


def test_a_byte_order_mark_is_no_fault(cohort):
    folder, content = cohort
    file = save(folder, content)
    expected = load_datalist(file, "training")
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert load_datalist(file, "training") == expected


def test_missing_or_empty_split_names_the_filled_ones(cohort):
    folder, content = cohort
    content["training"] = []
    assert 'list "training" is missing or empty (filled lists: validation, test)' in message(folder, content)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"case_id": None}, "training[0]: has no case_id"),
        ({"image": None}, "case c0: has no image"),
        ({"case_id": "c3"}, "case c3: case_id is used 2 times"),
        ({"case_id": "a/b"}, "case 'a/b': results are files named after it"),
        ({"patient_id": "p3"}, "cases c3 (test) and c0 (training): are of one patient"),
        ({"image": "images/gone.nii.gz"}, "gone.nii.gz does not exist"),
        ({"label": "images/gone.nii.gz"}, "case c0: label"),
        ({"report": None}, "case c0: has no report"),
        ({"report": " \n "}, "case c0: has an empty report"),
        ({"report": ["x"]}, "case c0: has a list as report"),
    ],
)
def test_each_fault_names_case_and_value(cohort, change, words):
    folder, content = cohort
    content["training"][0].update(change)
    assert words in message(folder, content)


def test_faults_of_other_lists_are_found_too(cohort):
    folder, content = cohort
    content["test"][0]["image"] = "gone.nii.gz"
    assert "case c3: image" in message(folder, content)


def test_reports_are_optional_without_text(cohort):
    folder, content = cohort
    for item in content["training"]:
        del item["report"]
    assert len(load_datalist(save(folder, content), "training", need_report=False)) == 2


def test_empty_image_file(cohort):
    folder, content = cohort
    (folder / "images" / "c0.nii.gz").write_bytes(b"")
    assert "case c0: image c0.nii.gz has 0 bytes" in message(folder, content)


def test_first_ten_faults_and_their_number(cohort):
    folder, content = cohort
    content["training"] += [
        {"case_id": f"x{n:02}", "image": f"x{n:02}.nii", "report": "top secret"} for n in range(14)
    ]
    text = message(folder, content)
    assert "14 faults" in text and "case x09" in text and "x10" not in text and "and 4 more" in text
    assert "secret" not in text


def test_headers_are_checked_without_reading_voxels(tmp_path):
    for name, shape in (("good", (4, 5, 6)), ("flat", (4, 5)), ("film", (4, 5, 6, 3))):
        write_volume(tmp_path / f"{name}.nii.gz", shape)
    (tmp_path / "text.nii.gz").write_text("not an image")
    items = {p.name: {"case_id": p.name.split(".")[0], "image": str(p)} for p in tmp_path.iterdir()}
    check_headers([items["good.nii.gz"]])
    with pytest.raises(T3DError) as caught:
        check_headers(items.values())
    text = str(caught.value)
    assert "3 faults" in text
    for words in ("case flat: image flat.nii.gz is 2D", "case film", "case text", "text.nii.gz cannot be read"):
        assert words in text


def test_find_cases_prefers_the_datalist(cohort):
    folder, content = cohort
    del content["test"][0]["report"]
    save(folder, content)
    assert [item["case_id"] for item in find_cases(folder)] == ["c3"]
    assert [item["case_id"] for item in find_cases(folder, split="training")] == ["c0", "c1"]
    other = folder / "other.json"
    other.write_text(json.dumps({"test": content["validation"]}))
    assert [item["case_id"] for item in find_cases(folder, datalist_file=other)] == ["c2"]


def test_find_cases_in_plain_folders(cohort):
    folder, _ = cohort
    assert [item["case_id"] for item in find_cases(folder)] == ["c0", "c1", "c2", "c3"]
    write_volume(folder / "a.b.nii")
    (folder / "._a.b.nii").write_bytes(b"x")
    (folder / "notes.txt").write_text("x")
    assert find_cases(folder) == [
        {"case_id": "a.b", "patient_id": "a.b", "image": str(folder / "a.b.nii")},
    ]
    write_volume(folder / "a.b.nii.gz")
    with pytest.raises(T3DError, match="case a.b: case_id is used 2 times"):
        find_cases(folder)


def test_find_cases_without_cases(tmp_path):
    with pytest.raises(T3DError, match="neither datalist.json, nor .nii"):
        find_cases(tmp_path)
    with pytest.raises(T3DError, match="neither datalist.json, nor .nii"):
        find_cases(tmp_path / "gone")


def test_an_empty_cell_of_pandas_is_no_patient(cohort):
    folder, content = cohort
    for split in content.values():
        for item in split:
            item["patient_id"] = float("nan")
    items = load_datalist(save(folder, content), "training")
    assert [item["patient_id"] for item in items] == ["c0", "c1"]


@pytest.mark.parametrize("prepared", [{}, {"spacing": [1.0, 1.0, 2.0]}, {"spacing": "1", "orientation": "RAS"}])
def test_a_store_that_does_not_say_its_grid_is_refused(cohort, prepared):
    folder, content = cohort
    with pytest.raises(T3DError, match=r'datalist\.json: its entry "prepared" does not say'):
        is_prepared(save(folder, {**content, "prepared": prepared}))
    assert not is_prepared(save(folder, {**content, "prepared": "by me"}))


def test_items_that_are_no_cases_are_named_before_reports_are_counted(cohort):
    folder, content = cohort
    content["test"] += ["c9", None]
    with pytest.raises(T3DError, match=r"2 faults:\n  test\[1\]: is a str; .*\n  test\[2\]: is a NoneType"):
        reports(str(save(folder, content)))
