import json
import logging

import pytest
from cohort_trees import cases, not_found, run, table, volume

from t3d.cohorts.csv_table import collect
from t3d.data.datalist import load_datalist
from t3d.errors import T3DError

COLUMNS = [
    "--image_column", "file", "--report_column", "text", "--label_column", "seg", "--case_column", "id",
    "--patient_column", "who", "--split_column", "part", "--findings_columns", "nodule,effusion",
]  # fmt: skip


def row(number, part="train", text="Clear lungs.", **more):
    return {
        "file": f"scans/scan {number}.nii.gz",
        "text": text,
        "seg": "",
        "id": f"c{number}",
        "who": f"p{number // 2}",
        "part": part,
        "nodule": "1.0",
        "effusion": "",
        **more,
    }


@pytest.fixture
def tree(tmp_path):
    for number in range(6):
        volume(tmp_path / "scans" / f"scan {number}.nii.gz")
    return tmp_path


def test_every_column(tree):
    volume(tree / "segs" / "s0.nii.gz")
    rows = [
        row(0, seg="segs/s0.nii.gz"),
        row(1, text='Two lines.\n"Quoted", with a comma.', nodule="0", effusion="-1"),
        row(2, "Validation"),
        row(4, "TEST", who=""),
        row(5, "test", text=" "),
        row(9),
    ]
    table(tree / "list.csv", rows, encoding="utf-8-sig")
    out = tree / "datalist.json"
    datalist = run("csv", tree, out, *COLUMNS)
    assert [cases(datalist, split) for split in ("training", "validation", "test")] == [["c0", "c1"], ["c2"], ["c4"]]
    assert datalist["training"][0] == {
        "case_id": "c0",
        "patient_id": "p0",
        "image": "scans/scan 0.nii.gz",
        "label": "segs/s0.nii.gz",
        "report": "Clear lungs.",
        "findings": {"nodule": 1, "effusion": None},
    }
    assert datalist["training"][1]["report"] == 'Two lines.\n"Quoted", with a comma.'
    assert datalist["training"][1]["findings"] == {"nodule": 0, "effusion": None}
    assert datalist["test"][0]["patient_id"] == "c4"
    assert not_found(out) == {"c5": "report is empty", "c9": "image scan 9.nii.gz is not there"}
    assert len(load_datalist(out, "training")) == 2


def test_images_alone_get_lists_by_patient(tree):
    table(tree / "a.tsv", [{"image": f"scans/scan {n}.nii.gz"} for n in range(6)], delimiter="\t")
    datalist = run("csv", tree, tree / "d.json", "--seed", "3")
    assert [len(datalist[name]) for name in ("training", "validation", "test")] == [4, 1, 1]
    assert datalist["training"][0]["case_id"].startswith("scan ") and "report" not in datalist["training"][0]


def test_paths_outside_the_datalists_folder_stay_absolute(tree):
    table(tree / "a.csv", [{"image": f"scans/scan {n}.nii.gz"} for n in range(6)])
    out = tree / "lists" / "d.json"
    datalist = run("csv", tree, out, "--validation_share", "0", "--test_share", "0")
    assert datalist["training"][0]["image"] == str(tree / "scans" / "scan 0.nii.gz")
    assert len(load_datalist(out, "training", need_report=False)) == 6


def test_a_semicolon_table_and_a_dicom_folder(tree):
    volume(tree / "series" / "1.dcm")
    rows = [{"image": "series", "note": "a"}, {"image": "scans/scan 1.nii.gz", "note": "b"}]
    table(tree / "a.csv", rows, delimiter=";")
    datalist = run("csv", tree, tree / "d.json", "--validation_share", "0", "--test_share", "0")
    assert cases(datalist, "training") == ["series", "scan 1"]


BAD_ROWS = [
    # name, rows, bytes written instead, arguments, words
    ("a missing column", [row(0)], None, ["--image_column", "volume"], "no column volume; it has file, text"),
    ("no image", [row(0), row(1, file="")], None, COLUMNS, "row 3: has no image"),
    ("no case id", [row(0), row(1, id="")], None, COLUMNS, "row 3: has no id"),
    ("a duplicate id", [row(0), row(1, id="c0")], None, COLUMNS, "case c0: case_id is used 2 times"),
    (
        "a patient in two lists",
        [row(0), row(1, "test")],
        None,
        COLUMNS,
        "c1 .test. and c0 .training.: are of one patient",
    ),
    ("another split", [row(0, "holdout")], None, COLUMNS, "part is 'holdout'; use train, val or test"),
    ("another finding", [row(0, nodule="maybe")], None, COLUMNS, "finding nodule is 'maybe'; use 0, 1"),
    ("no file at all", [row(8), row(9)], None, COLUMNS, "no case found .2 named there were left out"),
    ("Latin-1", None, "image\nscans/sc\u00e4n.nii.gz\n".encode("latin-1"), [], "not UTF-8 text .byte 14"),
    ("no rows", None, b"image\n", [], "no rows below its first line"),
    ("nothing", None, b"", [], "is empty; give a table"),
    ("a column twice", None, b"image,a,a\nx,1,2\n", [], "has the column a twice"),
    ("too many cells", None, b"image,text\nx,a, b\n", [], "line 2: more cells than columns"),
    ("a NUL byte", None, b"image\n\x00\n", [], "no CSV table|no case found"),
]


@pytest.mark.parametrize(
    ("rows", "data", "arguments", "words"), [b[1:] for b in BAD_ROWS], ids=[b[0] for b in BAD_ROWS]
)
def test_bad_tables(tree, rows, data, arguments, words):
    file = tree / "list.csv"
    file.write_bytes(data) if rows is None else table(file, rows)
    with pytest.raises(T3DError, match=words) as fault:
        run("csv", tree, tree / "d.json", *arguments)
    assert "Clear lungs" not in str(fault.value)
    assert sorted(p.name for p in tree.iterdir()) == ["list.csv", "scans"]  # nothing written


def test_which_table(tree):
    with pytest.raises(T3DError, match=r"holds 0 tables \(none\); name the one to read"):
        run("csv", tree, tree / "d.json")
    for name in ("a.csv", "b.csv"):
        table(tree / name, [{"image": f"scans/scan {n}.nii.gz"} for n in range(6)])
    with pytest.raises(T3DError, match=r"holds 2 tables \(a.csv, b.csv\)"):
        run("csv", tree, tree / "d.json")
    assert run("csv", tree, tree / "d.json", "--table", "b.csv")["training"]
    with pytest.raises(T3DError, match="c.csv does not exist"):
        run("csv", tree, tree / "e.json", "--table", "c.csv")


def test_nothing_is_overwritten_unasked(tree, caplog):
    table(tree / "a.csv", [{"image": f"scans/scan {n}.nii.gz"} for n in range(7)])
    out = tree / "d.json"
    run("csv", tree, out)
    before = out.read_bytes()
    with pytest.raises(T3DError, match="d.json is already there.*--overwrite True"):
        run("csv", tree, out, "--seed", "5")
    assert out.read_bytes() == before
    volume(tree / "scans" / "scan 6.nii.gz")
    run("csv", tree, out, "--seed", "5", "--overwrite", "true")
    assert out.read_bytes() != before
    assert not_found(out) == {}  # the list of the first run is not left beside the second one


def test_an_old_list_beside_the_output_is_not_replaced_either(tree):
    table(tree / "a.csv", [{"image": f"scans/scan {n}.nii.gz"} for n in range(7)])
    (tree / "d_not_found.csv").write_text("mine")
    with pytest.raises(T3DError, match="d_not_found.csv is already there"):
        run("csv", tree, tree / "d.json")
    assert (tree / "d_not_found.csv").read_text() == "mine" and not (tree / "d.json").exists()


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("lidc", [], "cohort 'lidc' is not known; choose from ct_rate"),
        ("btcv", ["--image_column", "x"], "--image_column is no option of btcv; it has none of its own"),
        ("csv", ["--one_per_scan", "true"], "--one_per_scan is no option of csv; it has case_column"),
        ("csv", ["--validation_share", "1.5"], "--validation_share 1.5 is outside"),
        ("csv", ["--test_share", "0.95"], "of 6 training patients none would stay"),
        ("csv", ["--overwrite", "perhaps"], "--overwrite is 'perhaps'; give True or False"),
    ],
)
def test_wrong_options(tree, name, arguments, words):
    table(tree / "a.csv", [{"image": f"scans/scan {n}.nii.gz"} for n in range(6)])
    with pytest.raises(T3DError, match=words):
        run(name, tree, tree / "d.json", *arguments)
    assert not (tree / "d.json").exists()


@pytest.mark.parametrize("name", ["ct_rate", "bimcv_r", "rad_chestct", "csv", "msd", "btcv", "amos"])
def test_a_root_that_is_none_or_empty(tmp_path, name):
    with pytest.raises(T3DError, match="is not a folder; give the folder the cohort was unpacked to"):
        run(name, tmp_path / "nowhere", tmp_path / "d.json")
    (tmp_path / "empty").mkdir()
    with pytest.raises(T3DError, match="is empty; give the folder"):
        run(name, tmp_path / "empty", tmp_path / "d.json")
    with pytest.raises(T3DError, match="is not a .json file"):
        run(name, tmp_path / "empty", tmp_path / "d.txt")


def test_ten_are_shown_and_all_are_written(tree, caplog):
    table(tree / "a.csv", [{"image": f"scans/scan {n}.nii.gz"} for n in range(30)])
    with caplog.at_level(logging.INFO, logger="t3d"):
        run("csv", tree, tree / "d.json")
    assert "24 things are not as they should be, 24 cases are left out" in caplog.text
    assert "scan 15" in caplog.text and "scan 16" not in caplog.text and "and 14 more, all in" in caplog.text
    assert len(not_found(tree / "d.json")) == 24


def test_the_output_is_readable_json_in_any_language(tree):
    table(tree / "a.csv", [{"image": f"scans/scan {n}.nii.gz", "r": "L\u00e4sion \u2264 5 mm."} for n in range(6)])
    run("csv", tree, tree / "d.json", "--report_column", "r")
    assert "L\u00e4sion \u2264 5 mm." in (tree / "d.json").read_text(encoding="utf-8")
    json.loads((tree / "d.json").read_text(encoding="utf-8"))


def test_a_piece_of_a_report_in_another_column_is_not_shown(tmp_path):
    """A lost quote parts a report: its lines become rows, and its words names of cases."""
    (tmp_path / "k0.nii.gz").write_bytes(b"x")
    table = "image,report,split\nk0.nii.gz,Mister Unmentionable\nUnmentionable is well,Normal,He has no nodule\n"
    (tmp_path / "table.csv").write_text(table)
    with pytest.raises(T3DError, match="row 3: split is a text of 16 characters; use train, val or test") as caught:
        collect(tmp_path, report_column="report", split_column="split")
    assert "Unmentionable" not in str(caught.value)


def test_a_name_that_no_file_can_have_is_left_out_and_named(tmp_path):
    (tmp_path / "table.csv").write_text(f"image,case\n{'k' * 5000}.nii.gz,k0\n")
    found = collect(tmp_path, case_column="case")
    assert [(entry.case, entry.kept) for entry in found.not_found] == [("k0", False)]
