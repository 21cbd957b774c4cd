"""A report is cleaned and split once per case, and what was made of it is not pickled."""

import pickle
from functools import partial

import pytest
import torch
from tiny_text import REPORTS, cases, make_encoder

from t3d.networks.text_encoder import TextEncoder, load_tokenizer
from t3d.reports import clean as clean_module
from t3d.reports.features import ReportFeatures
from t3d.reports.once import Once
from t3d.transforms.report import EncodeReportd, TokenizeReportd


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> str:
    return make_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture
def cleaned(monkeypatch) -> list[str]:
    """The texts that were cleaned so far."""
    texts = []
    plain = clean_module.clean_report
    monkeypatch.setattr(clean_module, "clean_report", lambda text: texts.append(text) or plain(text))
    return texts


def test_the_live_way_reads_a_report_once(folder, cleaned):
    step = TokenizeReportd(tokenizer=load_tokenizer(folder), max_tokens=160)
    step.reports.check(cases())
    first, *others = ([step(item) for item in cases()] for _ in range(3))
    assert cleaned == REPORTS
    for again in others:
        for one, other in zip(first, again, strict=True):
            assert all(torch.equal(one[key], other[key]) for key in one if key != "case_id")


def test_the_cached_way_reads_a_report_once(folder, cleaned, tmp_path):
    features = ReportFeatures(
        encoder=TextEncoder(folder), tokenizer=load_tokenizer(folder), cache_dir=tmp_path, max_tokens=160
    )
    features.precompute(cases())
    step = EncodeReportd(features=features)
    items = [[step(item) for item in cases()] for _ in range(3)][0]
    assert cleaned == REPORTS
    # a worker that got a copy reads each once more
    copy = pickle.loads(pickle.dumps(step))
    for item, case in zip(items, cases(), strict=True):
        assert torch.equal(copy(case)["report"], item["report"]) and torch.equal(
            copy(case)["report_id"], item["report_id"]
        )
    assert cleaned == REPORTS * 2


def test_pickles_hold_no_tokens(folder, tmp_path):
    step = TokenizeReportd(tokenizer=load_tokenizer(folder), max_tokens=160)
    before = len(pickle.dumps(step))
    for item in cases():
        step(item)
    assert len(pickle.dumps(step)) == before and not pickle.loads(pickle.dumps(step)).reports._read._made


def test_it_is_bounded_and_keeps_no_text():
    once = Once(limit=2)
    made = []

    def make(text):
        made.append(text)
        return len(text)

    for text in ("a", "bb", "a", "ccc", "a"):
        assert once.get(text, partial(make, text)) == len(text)
        assert len(once._made) <= 2 and all(isinstance(key, bytes) and len(key) == 16 for key in once._made)
    assert made == ["a", "bb", "ccc", "a"]


def test_what_fails_fails_again():
    once = Once(limit=2)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            once.get("a", lambda: 1 / 0)


def test_a_case_with_a_known_text_is_named_too_when_it_is_cut(folder):
    step = TokenizeReportd(tokenizer=load_tokenizer(folder), max_tokens=12)
    for case in ("a", "b"):
        step({"case_id": case, "report": REPORTS[0]})
    assert step.reports.cut_cases == {"a", "b"}
