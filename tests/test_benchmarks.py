"""The plans of public benchmarks, from a folder of that layout to the table; bundles' runs are played."""

import csv
import json
import shutil

import benchmark_trees as trees
import pytest
from bundle_runs import REPOSITORY
from study_in_process import in_this_process, play

from t3d.cohorts.btcv import LABELS
from t3d.errors import T3DError
from t3d.reports.prompts import finding_name
from t3d.study.outcome import read_outcomes
from t3d.study.plan import read_plan
from t3d.study.plan_file import PLANS
from t3d.study.published_numbers import FILE, NOT_RUN, as_page, benchmarks, published_numbers
from t3d.study.study import run_study

NAMES = sorted(path.stem for path in PLANS.glob("*.json") if not path.stem.startswith("study_"))


@pytest.fixture
def encoder(classification_encoder, tmp_path):
    """A pre-training's ckpt_dir whose network has a head for sentences."""
    folder = shutil.copytree(classification_encoder.parent, tmp_path / "models")
    record = json.loads((folder / "encoder.json").read_text())
    record["network"] |= {"use_text": True, "use_sentences": True}
    (folder / "encoder.json").write_text(json.dumps(record))
    (folder / "model.pt").write_bytes(b"all weights")
    return folder


def study(plan, out_dir, **options):
    """Run it; rows of the CSV file, the Markdown, and the datalists."""
    assert run_study(plan, out_dir, **options) == []
    with open(out_dir / "results.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    lists = {file.name: json.loads(file.read_text()) for file in (out_dir / "cohort").glob("datalist_*.json")}
    return rows, (out_dir / "results.md").read_text(), list(lists.values())


def cases(items):
    return [item["case_id"] for item in items]


def few(name, tmp_path):
    """A shipped plan with findings of any number of positives: a small folder has few."""
    content = json.loads((PLANS / f"{name}.json").read_text())
    content |= {"least_positives": 1, "resamples": 20}
    for task in ("probe", "findings"):
        if task in content["tasks"]:
            content["tasks"][task]["labels"] = ["all"]
    prompts = content["tasks"].get("zero_shot", {}).get("prompts")
    if prompts:
        content["tasks"]["zero_shot"]["prompts"] = str(PLANS / prompts)
    (tmp_path / "plan.json").write_text(json.dumps(content))
    return str(tmp_path / "plan.json")


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_has_published_numbers_and_holds_an_encoder_of_the_user_against_others(name):
    plan = read_plan(name)
    assert plan.benchmark in benchmarks() and plan.resamples == 1000
    assert "given" in {arm.kind for arm in plan.arms.values()}


def test_ct_rate(tmp_path, encoder, monkeypatch):
    played = play(monkeypatch)
    root = trees.ct_rate(tmp_path / "CT-RATE")
    plan = few("ct_rate", tmp_path)
    rows, table, (lists,) = study(plan, tmp_path / "out", cohort_dir=str(root), encoder=str(encoder))
    assert cases(lists["test"]) == ["valid_1_a_1", "valid_2_a_1", "valid_3_a_1", "valid_4_a_1", "valid_4_a_2"]
    assert len(lists["training"]) + len(lists["validation"]) == 7 and lists["validation"]
    assert list(lists["test"][0]["findings"]) == list(trees.CT_RATE)
    with open(tmp_path / "out" / "cohort" / "ct_rate_not_found.csv", newline="") as file:
        left_out = {row["case"]: row["what"] for row in csv.DictReader(file)}
    assert "issue 22" in left_out["train_11755_a_3"]
    done = {(row["task"], row["arm"]) for row in rows}
    assert done == {
        ("probe", "untrained"), ("probe", "given"), ("findings", "scratch"), ("findings", "given"),
        ("zero_shot", "given"), ("retrieval", "given"),
    }  # fmt: skip
    assert {row["target"] for row in rows if row["task"] == "zero_shot"} == {"mean", *trees.CT_RATE}
    # ranks 0, 7, 14, 21, 28 of the reports' volumes
    found = {
        row["metric"]: float(row["value"])
        for row in rows
        if row["task"] == "retrieval" and row["target"] == "report_to_volume" and not row["against"]
    }
    assert found == {"recall@5": 0.2, "recall@10": 0.4, "recall@50": 1.0, "recall@100": 1.0}
    assert "ct_rate: 5 of 3039 test cases are there" in table
    line = next(line for line in table.splitlines() if "GreenRFM" in line)
    assert "| .848 | given 0." in line and "scratch" not in line
    (asked,) = (options for _, names, options in played.runs if "zero_shot" in names)
    assert "prompts_file" in asked and asked["split"] == "test"


def test_rad_chestct_is_an_external_test(tmp_path, encoder, monkeypatch):
    play(monkeypatch)
    root = trees.rad_chestct(tmp_path / "rad")
    plan = few("rad_chestct", tmp_path)
    rows, _, (lists,) = study(plan, tmp_path / "out", cohort_dir=str(root), encoder=str(encoder))
    assert cases(lists["test"]) == ["trn00001", "val00001", "tst00001"] and lists["training"] == []
    assert all(
        (tmp_path / "out" / "cohort" / "rad_chestct_nifti" / f"{one}.nii.gz").is_file() for one in cases(lists["test"])
    )
    assert len(lists["test"][0]["findings"]) == 16 and {row["task"] for row in rows} == {"zero_shot"}
    # every third column of a scan is 1, so some device is in each
    assert [item["findings"]["Medical material"] for item in lists["test"]] == [1, 1, 1]
    place = trees.RAD_CHESTCT.index("nodule")
    assert [item["findings"]["Lung nodule"] for item in lists["test"]] == [
        int((number + place) % 3 == 0) for number in range(3)
    ]


def test_rad_chestct_of_what_learnt_from_ct_rate(tmp_path, encoder, monkeypatch):
    play(monkeypatch)
    roots = trees.ct_rate(tmp_path / "CT-RATE"), trees.rad_chestct(tmp_path / "rad")
    shutil.rmtree(roots[0] / "dataset" / "valid_fixed")
    plan = few("rad_chestct_from_ct_rate", tmp_path)
    with pytest.raises(T3DError, match="one path, and the plan has ct_rate, rad_chestct; give ct_rate=PATH,rad"):
        run_study(plan, tmp_path / "out", cohort_dir=str(roots[0]), encoder=str(encoder))
    rows, _, (lists,) = study(
        plan, tmp_path / "out", cohort_dir=f"ct_rate={roots[0]},rad_chestct={roots[1]}", encoder=str(encoder)
    )
    assert {item["case_id"][:5] for item in lists["training"]} == {"train"} and len(lists["test"]) == 3
    assert set(lists["training"][0]["findings"]) == set(lists["test"][0]["findings"])
    # scan 1: the columns with an odd place are 0; arterial (1) and coronary (4) calcification
    first = next(item for item in lists["training"] + lists["validation"] if item["case_id"] == "train_2_a_1")
    assert first["findings"]["Calcification"] == 1 and first["findings"]["Lung nodule"] == 1
    assert {row["task"] for row in rows} == {"probe", "findings", "zero_shot"}


def test_btcv_has_the_published_split(tmp_path, encoder, monkeypatch):
    played = play(monkeypatch)
    numbers = [*range(1, 11), *range(21, 41)]
    root = trees.btcv(tmp_path / "btcv", numbers)
    rows, table, (lists,) = study("btcv", tmp_path / "out", cohort_dir=str(root), encoder=str(encoder))
    assert cases(lists["test"]) == [f"btcv_00{number}" for number in range(35, 41)]
    assert len(lists["training"]) == 21 and len(lists["validation"]) == 3
    assert sorted(cases(lists["training"]) + cases(lists["validation"])) == [
        f"btcv_{number:04}" for number in numbers if number < 35
    ]
    assert "are there" not in table and "Swin UNETR, MONAI model zoo" in table
    assert {row["target"] for row in rows} == {"mean", *LABELS} - {"background"}
    assert {row["labels"] for row in rows} == {"5", "all"} and {row["cases"] for row in rows} == {"6"}
    for _, _, options in played.runs:
        assert json.loads(open(options["labels_file"]).read()) == LABELS
    started = [options.get("encoder_weights", "scratch") for _, names, options in played.runs if "evaluate" in names]
    assert len(started) == 12 and started.count("scratch") == 6
    assert all("/given_" in one for one in started if one != "scratch")
    again = trees.btcv(tmp_path / "less", numbers[:-1])
    with pytest.raises(T3DError, match="btcv: 1 of the 6 test cases that the plan fixes.*btcv_0040.*--cohort_dir"):
        run_study("btcv", tmp_path / "less_out", cohort_dir=str(again), encoder=str(encoder))


@pytest.mark.parametrize(
    ("plan", "classes"), [("msd_lung", ["background", "cancer"]), ("msd_liver", ["background", "liver", "cancer"])]
)
def test_folds_of_the_decathlon_measure_every_case_once(plan, classes, tmp_path, encoder, monkeypatch):
    play(monkeypatch)
    root = trees.msd(tmp_path / "task", plan.removeprefix("msd_"), classes)
    rows, table, lists = study(plan, tmp_path / "out", cohort_dir=str(root), encoder=str(encoder))
    tested = [case for one in lists for case in cases(one["test"])]
    assert len(lists) == 5 and sorted(tested) == sorted(set(tested)) and len(tested) == 7
    assert all(len(one["training"]) + len(one["validation"]) + len(one["test"]) == 7 for one in lists)
    assert {row["cases"] for row in rows} == {"7"} and {row["task"] for row in rows} == {"organs", "lesions"}
    # the published mean Dice is that of all classes, lesions among them
    assert {row["target"] for row in rows if row["metric"] == "dice"} == {"mean", *classes} - {"background"}
    assert {row["positives"] for row in rows if row["metric"] == "froc"} == {"21"}
    assert "7 of" in table and "training cases are there" in table
    assert f"### Published: {published_numbers()[plan]['title']}" in table
    other = trees.msd(tmp_path / "other", "spleen", ["background", "spleen"])
    with pytest.raises(T3DError, match="has the classes .*spleen.*is it another task"):
        run_study(plan, tmp_path / "other_out", cohort_dir=str(other), encoder=str(encoder))


def test_btcv_in_folds(tmp_path, encoder, monkeypatch):
    play(monkeypatch)
    root = trees.btcv(tmp_path / "btcv", [*range(1, 11), *range(21, 41)])
    rows, table, lists = study("btcv_folds", tmp_path / "out", cohort_dir=str(root), encoder=str(encoder))
    assert [len(one["test"]) for one in lists] == [6] * 5 and {row["cases"] for row in rows} == {"30"}
    assert "are there" not in table


def test_amos_is_tested_on_va(tmp_path, encoder, monkeypatch):
    play(monkeypatch)
    root = trees.amos(tmp_path / "amos22")
    rows, table, (lists,) = study("amos", tmp_path / "out", cohort_dir=str(root), encoder=str(encoder))
    assert cases(lists["test"]) == ["amos_0008", "amos_0013"]
    assert len(lists["training"]) == 2 and len(lists["validation"]) == 1
    assert {row["target"] for row in rows} == {"mean", "spleen", "right kidney", "prostate uterus"}
    assert "amos: 2 of 100 test cases are there" in table


def test_the_probe_of_a_given_encoder(cohort, classification_encoder, tmp_path, monkeypatch):
    """CT-RATE's layout with real volumes: nothing is played."""
    in_this_process(monkeypatch)
    images = [cohort / item["image"] for item in json.loads((cohort / "datalist.json").read_text())["training"]]
    root = trees.ct_rate(tmp_path / "CT-RATE", image=trees.copies(images))
    content = json.loads(open(few("ct_rate", tmp_path)).read())
    content["arms"], content["reference"] = {"given": {"kind": "given"}}, "given"
    content["tasks"] = {"probe": {"labels": ["all"], "strides": [32]}}
    (tmp_path / "plan.json").write_text(json.dumps(content))
    rows, _, _ = study(
        str(tmp_path / "plan.json"), tmp_path / "out", cohort_dir=str(root), encoder=str(classification_encoder)
    )
    assert {(row["task"], row["arm"], row["cases"]) for row in rows} == {("probe", "given", "5")}
    (features,) = (tmp_path / "out" / "cells").glob("probe_*")
    assert read_outcomes(features)[0].targets == sorted(trees.CT_RATE)


def test_what_is_missing_is_said(tmp_path, encoder, classification_encoder):
    def fault(plan="amos", **options):
        with pytest.raises(T3DError) as caught:
            run_study(plan, tmp_path / "out", **options)
        return str(caught.value)

    assert "give --encoder PATH" in fault(cohort_dir=str(tmp_path))
    assert "nothing says where that lies; give --cohort_dir" in fault(encoder=str(encoder))
    assert "found no imagesTr" in fault(cohort_dir=str(tmp_path), encoder=str(encoder))
    assert "the plan has nothing that asks for it" in fault("study_tiny", cohort_dir=str(tmp_path))
    assert "--encoder" in fault("study_tiny", encoder=str(encoder))
    root = str(trees.amos(tmp_path / "amos22"))
    assert "found no encoder.safetensors" in fault(cohort_dir=root, encoder=str(tmp_path / "nowhere"))
    (encoder / "encoder.json").unlink()
    assert "found no encoder.json" in fault(cohort_dir=root, encoder=str(encoder))
    assert not (tmp_path / "out" / "cells").exists()
    rad = trees.rad_chestct(tmp_path / "rad")
    file = rad / "imgtest_Abnormality_and_Location_Labels.csv"
    for part in ("train", "valid", "test"):
        file = rad / f"img{part}_Abnormality_and_Location_Labels.csv"
        file.write_text(file.read_text().replace("septal_thickening*", "other*"))
    words = fault("rad_chestct", cohort_dir=str(rad), encoder=str(classification_encoder))
    assert "the label table has no septal_thickening" in words


def test_prompts_are_of_the_labels_that_are_counted():
    for name, cohort in (
        ("ct_rate", "ct_rate"),
        ("rad_chestct", "rad_chestct"),
        ("rad_chestct_from_ct_rate", "ct_rate"),
    ):
        plan = read_plan(name)
        counted = plan.cohort["published"][cohort]["findings"]
        assert {finding_name(one) for one in counted} == set(plan.tasks["zero_shot"]["prompts"])
    one, other = (
        read_plan("rad_chestct_from_ct_rate").cohort["published"][name]["findings"]
        for name in ("ct_rate", "rad_chestct")
    )
    assert set(one) == set(other) == set(read_plan("rad_chestct").cohort["published"]["rad_chestct"]["findings"])
    assert tuple(read_plan("ct_rate").cohort["published"]["ct_rate"]["findings"]) == trees.CT_RATE


def test_published_numbers_are_whole_and_on_their_page():
    for name, entry in published_numbers().items():
        assert entry["not_comparable"] and entry["ours"], name
        for row in entry["rows"]:
            assert 0 < row["value"] < 1 and row["source"] and row["protocol"], (name, row)
            # where nobody of us saw the number, the page says so
            assert row["read"].split(",")[0].split(":")[0] in ("yes", "no", "in a listing of results (wizwand.com)")
    page = as_page()
    assert (REPOSITORY / "docs" / "published_numbers.md").read_text() == page, f"make it anew from {FILE.name}"
    compared = [row for entry in published_numbers().values() for row in entry["rows"] if row["ours"]]
    assert page.count(f"| {NOT_RUN} |") == len(compared)
