"""Several wordings of a report: one at every draw, by its seed, and never somebody else's."""

import json

import pytest
import torch
from monai.transforms import Compose, Lambdad
from tiny_text import cases, make_encoder

from t3d.bundle.report_side import ReportSide
from t3d.data.datalist import load_datalist
from t3d.data.sampling import Draw
from t3d.data.shuffled_reports import shuffle_reports
from t3d.data.views import ViewDataset
from t3d.data.wordings import every_wording
from t3d.errors import T3DError
from t3d.phantoms.plan import plan_case
from t3d.study.guards import check_cohort
from t3d.transforms.wordings import ReadReportd


@pytest.fixture(scope="module")
def side(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    encoder = make_encoder(folder / "encoder")
    options = {"use_text": True, "report_cache": True, "max_tokens": 64, "use_sentences": True}
    return ReportSide(text_encoder=encoder, cache_dir=folder / "cache", **options)


def worded(count=3):
    """One case with so many wordings."""
    texts = [case["report"] for case in cases()[:count]]
    assert len(set(texts)) == count
    return {"case_id": "a", "report": texts[0], "reports": texts}


def test_the_seed_of_a_draw_chooses_the_wording_and_nothing_else(side):
    item = worded()
    side.precompute([item])
    read = ReadReportd(side.steps)
    plain = [read({"case_id": "a", "report": text}) for text in item["reports"]]
    noise = Compose([Lambdad("image", lambda x: x)])
    data = ViewDataset([{**read(item), "image": torch.zeros(1)}], noise)
    seen = []
    for seed in range(12):
        drawn, again = data[Draw(0, seed)], data[Draw(0, seed)]
        (place,) = [n for n, one in enumerate(plain) if one["report_id"] == drawn["report_id"]]
        assert all(torch.equal(drawn[key], plain[place][key]) for key in plain[place] if key != "case_id")
        assert drawn.keys() == again.keys() == {*plain[0], "image"} and again["report_id"] == drawn["report_id"]
        seen.append(place)
    assert set(seen) == {0, 1, 2}


def test_one_wording_is_a_report_as_ever(side):
    item = worded(1)
    side.precompute([item])
    found = ReadReportd(side.steps)(item)
    assert "wordings" not in found and found["report_id"] == side.features.report_id(item["report"])


def test_all_wordings_are_cached_and_scaled(side):
    item = worded()
    side.precompute([item])
    apart = [{"case_id": str(n), "report": text} for n, text in enumerate(item["reports"])]
    for one, other in zip(side.text_scale([item]), side.text_scale(apart), strict=True):
        assert torch.equal(one, other)
    assert [one["report"] for one in every_wording([item])] == item["reports"]


def test_shuffled_reports_take_all_their_wordings_along():
    items = [
        {"case_id": f"c{n}", "patient_id": f"p{n}", "report": f"{n} a", "reports": [f"{n} a", f"{n} b"]}
        for n in range(4)
    ]
    items.append({"case_id": "bare", "patient_id": "bare", "report": "bare"})
    shuffled = shuffle_reports(items, seed=1)
    own = {item["case_id"]: item for item in items}
    for item in shuffled:
        texts = item.get("reports", [item["report"]])
        assert item["report"] == texts[0] and own[item["case_id"]]["report"] not in texts
        assert len({text.split()[0] for text in texts}) == 1
    assert sorted(len(item.get("reports", [0])) for item in shuffled) == [1, 2, 2, 2, 2]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"reports": "one"}, "reports is no list with its report"),
        ({"reports": ["another one"]}, "reports is no list with its report"),
        ({"reports": ["A small nodule.", " "]}, "has an empty report"),
        ({"reports": ["A small nodule.", 3]}, "has a int as report"),
    ],
)
def test_wordings_that_are_none_are_refused(tmp_path, entry, words):
    (tmp_path / "a.nii.gz").write_bytes(b"x")
    item = {"case_id": "a", "image": "a.nii.gz", "report": "A small nodule.", **entry}
    (tmp_path / "datalist.json").write_text(json.dumps({"training": [item]}))
    with pytest.raises(T3DError, match=f"case a: {words}"):
        load_datalist(tmp_path / "datalist.json", "training")


def test_a_guard_reads_all_wordings(tmp_path):
    items = []
    for number in range(2):
        (tmp_path / str(number)).write_bytes(bytes(number + 1))
        items.append({"case_id": f"c{number}", "image": str(tmp_path / str(number)), "report": "Clear lungs."})
    told = {**items[1], "findings": {"nodule": 1}, "reports": ["Clear lungs.", "nodule: 1"]}
    with pytest.raises(T3DError, match="state findings as labels, such as that of case c1"):
        check_cohort({"training": [items[0]], "validation": [], "test": [told]})


def test_phantoms_say_the_same_in_other_words():
    for index in range(6):
        plain, several = plan_case(0, index), plan_case(0, index, wordings=3)
        assert plain.reports == () and several.reports[0] == several.report == plain.report
        assert len(set(several.reports)) == 3
        assert several.study.findings == plain.study.findings and several.noise_sd == plain.noise_sd
