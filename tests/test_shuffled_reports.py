"""The control "reports shuffled": nobody keeps its own report."""

import random

import pytest
import torch
from tiny_text import REPORTS, cases, make_encoder

from t3d.bundle.report_side import ReportSide
from t3d.data.datalist import load_datalist
from t3d.data.shuffled_reports import shuffle_reports
from t3d.errors import T3DError


def items(patients: int = 9) -> list[dict]:
    return [
        {"case_id": f"c{p}{v}", "patient_id": f"p{p}", "report": f"report of p{p}, visit {v}", "image": f"{p}{v}"}
        for p in range(patients)
        for v in range(1 + p % 3)
    ]


def owner(item: dict) -> str:
    return item["report"].split()[2].strip(",")


def test_every_patient_gets_the_reports_of_one_other_patient():
    before = items()
    after = shuffle_reports(before, seed=0)
    assert [{**new, "report": None} for new in after] == [{**old, "report": None} for old in before]
    donors: dict[str, set[str]] = {}
    for item in after:
        donors.setdefault(item["patient_id"], set()).add(owner(item))
    assert all(len(found) == 1 and patient not in found for patient, found in donors.items())
    assert len({donor for found in donors.values() for donor in found}) == 9
    assert before == items()


def test_pairs_depend_on_the_seed_and_not_on_the_order():
    pairs = {item["case_id"]: item["report"] for item in shuffle_reports(items(), seed=0)}
    shuffled = items()
    random.Random(1).shuffle(shuffled)
    assert {item["case_id"]: item["report"] for item in shuffle_reports(shuffled, seed=0)} == pairs
    assert {item["case_id"]: item["report"] for item in shuffle_reports(items(), seed=1)} != pairs


def test_two_patients_swap_and_one_is_refused():
    two = shuffle_reports(items(2), seed=0)
    assert [owner(item) for item in two] == ["p1", "p0", "p0"]
    with pytest.raises(T3DError, match="two patients or more"):
        shuffle_reports(items(1), seed=0)


def test_the_datalist_is_shuffled_on_request(cohort):
    plain = load_datalist(cohort / "datalist.json", "training")
    shuffled = load_datalist(cohort / "datalist.json", "training", shuffle_seed=4)
    assert shuffled == shuffle_reports(plain, seed=4) != plain


def test_sentences_go_with_the_report_that_was_given(tmp_path):
    side = ReportSide(
        use_text=True, report_cache=True, text_encoder=make_encoder(tmp_path), max_tokens=64,
        cache_dir=tmp_path / "cache", use_sentences=True,
    )  # fmt: skip
    shuffled = shuffle_reports([{**case, "patient_id": case["case_id"]} for case in cases()], seed=0)
    side.precompute(shuffled)
    for item, own in zip(shuffled, REPORTS, strict=True):
        found = side.steps[0](item)
        wanted = side.sentences.get(item["report"])
        assert torch.equal(found["said"], wanted.said) and torch.equal(found["said_weight"] > 0, wanted.asked_from)
        assert item["report"] != own and not torch.equal(found["said"], side.sentences.get(own).said)
