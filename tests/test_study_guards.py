"""Planted faults that would make a comparison worthless."""

import copy
import json
import shutil

import numpy as np
import pytest

from t3d.data.datalist import load_datalist
from t3d.errors import T3DError
from t3d.study import guards
from t3d.study.cohort import make_cohort, split_exactly
from t3d.study.guards import check_cohort, check_shuffled, same_numbers
from t3d.study.outcome import SCORES, Outcome, tells_arms_apart

SPLITS = ("training", "validation", "test")
SHUFFLED = {"shuffle_reports": True, "use_text": True, "seed": 4}


@pytest.fixture
def lists(cohort):
    return {split: load_datalist(cohort / "datalist.json", split) for split in SPLITS}


def test_phantoms_pass(lists):
    check_cohort(lists)


def test_labels_in_the_reports_of_the_test_list_are_refused(lists):
    planted = copy.deepcopy(lists)
    for item in planted["test"]:
        states = item["findings"].items()
        item["report"] += " Codes: " + ", ".join(
            f"{name.replace('_', ' ').upper()} = {state}" for name, state in states
        )
    with pytest.raises(T3DError, match="state findings as labels, such as that of case"):
        check_cohort(planted)


def test_a_secret_word_in_the_reports_of_the_test_list_is_refused_and_not_quoted(lists):
    planted = copy.deepcopy(lists)
    assert len(planted["test"]) >= 4
    for item in planted["test"]:
        item["report"] += " xylophone"
    with pytest.raises(T3DError, match="share a word that no report of the other lists has") as caught:
        check_cohort(planted)
    assert "xylophone" not in str(caught.value)


def test_a_word_that_few_reports_may_lack_by_chance_is_let_through(lists):
    few = {**copy.deepcopy(lists), "training": lists["training"][:4], "validation": lists["validation"][:1]}
    few["test"] = [{**item, "report": few["training"][0]["report"]} for item in few["test"][:4]]
    for item in few["test"][:3]:
        item["report"] += " xylophone"
    check_cohort(few)


def test_an_image_under_two_names_is_refused(lists, tmp_path):
    planted = copy.deepcopy(lists)
    twin = tmp_path / "other_name.nii.gz"
    shutil.copy(planted["training"][3]["image"], twin)
    planted["test"][0]["image"] = str(twin)
    with pytest.raises(T3DError, match="have the same image"):
        check_cohort(planted)


def test_a_patient_in_two_lists_is_refused(cohort, tmp_path):
    content = json.loads((cohort / "datalist.json").read_text())
    for items in content.values():
        for item in items:
            item["image"] = str(cohort / item["image"])
    content["test"][0]["patient_id"] = content["training"][0]["patient_id"]
    file = tmp_path / "datalist.json"
    file.write_text(json.dumps(content))
    with pytest.raises(T3DError, match="are of one patient"):
        make_cohort({"datalist": str(file)}, tmp_path, workers=1)


def test_a_shuffled_arm_passes(cohort):
    check_shuffled(SHUFFLED, cohort / "datalist.json")


@pytest.mark.parametrize("change", [{"shuffle_reports": False}, {"use_text": False}])
def test_a_shuffled_arm_that_was_told_not_to_is_refused(cohort, change):
    with pytest.raises(T3DError, match="trained without shuffle_reports"):
        check_shuffled({**SHUFFLED, **change}, cohort / "datalist.json")


def test_a_shuffle_that_does_nothing_is_refused(cohort, monkeypatch):
    monkeypatch.setattr(guards, "load_datalist", lambda file, split, **_: load_datalist(file, split))
    with pytest.raises(T3DError, match="not shuffled: .* kept their own"):
        check_shuffled(SHUFFLED, cohort / "datalist.json")


def test_reports_that_are_all_alike_are_no_control(cohort, monkeypatch):
    def alike(file, split, **_):
        return [{**item, "report": "No finding."} for item in load_datalist(file, split)]

    monkeypatch.setattr(guards, "load_datalist", alike)
    with pytest.raises(T3DError, match="too much alike"):
        check_shuffled(SHUFFLED, cohort / "datalist.json")


def test_lists_of_exact_sizes():
    items = [{"case_id": f"c{n}", "patient_id": f"p{n - n % 2 if n % 6 < 2 else n}"} for n in range(30)]
    lists = split_exactly(items, {"training": 18, "validation": 5, "test": 7})
    assert [len(lists[split]) for split in SPLITS] == [18, 5, 7]
    owners = [{item["patient_id"] for item in lists[split]} for split in SPLITS]
    assert not owners[0] & owners[1] and not owners[0] & owners[2] and not owners[1] & owners[2]
    twice = [{"case_id": f"c{n}", "patient_id": f"p{n // 2}"} for n in range(8)]
    with pytest.raises(T3DError, match="some patients come twice"):
        split_exactly(twice, {"training": 3, "validation": 1, "test": 4})


@pytest.mark.parametrize(
    ("kind", "tells"),
    [
        ("scores", True),
        ("error_in_lesions", True),
        ("error_in_lesions_corrupted", False),  # of the input
        ("text_gain_in_lesions", False),  # 0 for the twin and for the untrained network, which read no report
    ],
)
def test_which_numbers_tell_arms_apart(kind, tells):
    assert tells_arms_apart(kind) is tells


def test_two_arms_with_the_same_numbers_are_named():
    def outcome(shift):
        values = np.array([[[0.1, np.nan], [0.3, 0.2]]]) + shift
        return Outcome(SCORES, values, np.zeros((2, 2)), ["a", "b"], ["p", "q"], ["x", "y"])

    arms = {"untrained": {0: outcome(0), 1: outcome(1)}, "oracle": {0: outcome(0)}, "default": {0: outcome(1e-9)}}
    (said,) = same_numbers(arms)
    assert said.startswith("untrained and oracle have the same numbers")
