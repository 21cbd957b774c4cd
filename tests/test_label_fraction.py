"""Label fractions: nested, patient-wise, independent of the list's order, recorded."""

import json
import random

import pytest

from t3d.data.label_fraction import choose_fraction
from t3d.errors import T3DError


def cohort(count: int = 100) -> list[dict]:
    """Two cases each for every third patient; "rare" in two patients, "common" in a third of them."""
    items = []
    for number in range(count):
        findings = {"rare": int(number in (17, 80)), "common": int(number % 3 == 1), "unknown": None}
        for case in range(2 if number % 3 == 0 else 1):
            items.append({"case_id": f"c{number}_{case}", "patient_id": f"p{number}", "findings": findings})
    return items


def patients(items) -> set[str]:
    return {item["patient_id"] for item in items}


@pytest.mark.parametrize("stratify", [None, "findings"])
def test_small_subsets_lie_inside_larger_ones(stratify):
    sizes, before = [], set()
    for fraction in (0.01, 0.07, 0.1, 0.5, 1.0):
        kept = patients(choose_fraction(cohort(), fraction=fraction, seed=3, stratify=stratify))
        assert before <= kept
        sizes.append(len(kept))
        before = kept
    assert sizes == [1, 7, 10, 50, 100]


@pytest.mark.parametrize("stratify", [None, "findings"])
def test_order_of_the_list_is_no_matter_and_the_seed_is(stratify):
    shuffled = cohort()
    random.Random(0).shuffle(shuffled)
    one = patients(choose_fraction(cohort(), fraction=0.2, seed=3, stratify=stratify))
    assert patients(choose_fraction(shuffled, fraction=0.2, seed=3, stratify=stratify)) == one
    assert patients(choose_fraction(cohort(), fraction=0.2, seed=4, stratify=stratify)) != one


def test_a_patient_stays_whole_and_the_order_of_items_is_kept():
    items = cohort()
    kept = choose_fraction(items, fraction=0.3, seed=0)
    assert kept == [item for item in items if item["patient_id"] in patients(kept)]
    assert len(kept) > len(patients(kept))


def test_a_patient_more_does_not_reorder_the_others():
    items = cohort()
    before = patients(choose_fraction(items, fraction=0.5, seed=0))
    after = patients(choose_fraction([*items, {"case_id": "x", "patient_id": "new"}], fraction=0.5, seed=0))
    assert len(before - after) <= 1


def test_stratified_subsets_show_every_class_early_and_then_at_its_share():
    for seed in range(5):
        three = choose_fraction(cohort(), fraction=0.03, seed=seed, stratify="findings")
        assert {item["findings"]["rare"] for item in three} == {0, 1}
        assert {item["findings"]["common"] for item in three} == {0, 1}
        half = choose_fraction(cohort(), fraction=0.6, seed=seed, stratify="findings")
        common = {item["patient_id"] for item in half if item["findings"]["common"]}
        assert 17 <= len(common) <= 23  # 33 of the 100 patients have it: 20 of 60


def test_without_stratification_a_rare_finding_is_missed_by_some_seed():
    found = [
        any(item["findings"]["rare"] for item in choose_fraction(cohort(), fraction=0.03, seed=seed))
        for seed in range(5)
    ]
    assert not all(found)


def test_one_class_per_case_can_be_stratified_too():
    items = [{"case_id": str(n), "patient_id": str(n), "site": "b" if n == 5 else "a"} for n in range(50)]
    kept = choose_fraction(items, fraction=0.04, seed=1, stratify="site")
    assert sorted(item["site"] for item in kept) == ["a", "b"]


def test_the_record_says_what_was_kept_and_refuses_to_change(tmp_path):
    file = tmp_path / "models" / "label_fraction.json"
    kept = choose_fraction(cohort(), fraction=0.1, seed=2, record_file=file)
    record = json.loads(file.read_text())
    assert record["fraction"] == 0.1 and record["seed"] == 2 and record["stratify"] is None
    assert record["patients"] == sorted(patients(kept))
    assert record["cases"] == sorted(item["case_id"] for item in kept)
    assert record["of"] == {"patients": 100, "cases": 134}
    before = file.read_bytes()
    assert choose_fraction(cohort(), fraction=0.1, seed=2, record_file=file) == kept
    with pytest.raises(T3DError, match=r"fraction 0.1 there, 0.5 now"):
        choose_fraction(cohort(), fraction=0.5, seed=2, record_file=file)
    renamed = [{**item, "patient_id": f"x{item['patient_id']}"} for item in cohort()]
    with pytest.raises(T3DError, match="other patients"):
        choose_fraction(renamed, fraction=0.1, seed=2, record_file=file)
    assert file.read_bytes() == before


@pytest.mark.parametrize("fraction", [0, -0.1, 1.01, float("nan"), "0.1", True])
def test_fractions_outside_the_range_are_refused(fraction):
    with pytest.raises(T3DError, match="outside"):
        choose_fraction(cohort(), fraction=fraction, seed=0)


def test_where_there_is_no_choice_nothing_is_recorded(tmp_path):
    assert choose_fraction(cohort(), fraction=1, seed=0, record_file=tmp_path / "all.json") == cohort()
    assert choose_fraction([], fraction=0.5, seed=0, record_file=tmp_path / "none.json") == []
    assert not list(tmp_path.iterdir())


def test_an_unknown_key_is_refused():
    with pytest.raises(T3DError, match="no case of the list has it"):
        choose_fraction(cohort(), fraction=0.5, seed=0, stratify="sex")
