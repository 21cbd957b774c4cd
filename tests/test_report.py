import numpy as np
import pytest
import torch
from monai.data import DataLoader, Dataset
from monai.transforms import Compose
from tiny_text import REPORTS, cases, make_encoder

from t3d.errors import T3DError
from t3d.networks.text_encoder import TextEncoder, load_tokenizer
from t3d.reports.features import ReportFeatures
from t3d.transforms.report import EncodeReportd, RandSentencesd, TokenizeReportd


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_encoder(tmp_path_factory.mktemp("text"))


@pytest.fixture(scope="module")
def tokenize(folder):
    return TokenizeReportd("report", load_tokenizer(folder), max_tokens=200)


def test_tokens_replace_the_text(tokenize):
    item = tokenize({**cases()[0], "image": 1})
    assert set(item) == {"case_id", "image", "report", "report_mask", "report_sentence", "report_id"}
    count = int(item["report_mask"].sum())
    assert item["report"].shape == item["report_mask"].shape == item["report_sentence"].shape == (200,)
    assert item["report"].dtype == item["report_sentence"].dtype == item["report_id"].dtype == torch.int64
    assert item["report_mask"].dtype == torch.bool
    assert item["report_mask"].tolist() == [True] * count + [False] * (200 - count)
    assert (item["report"][count:] == 0).all() and (item["report"][:count] != 0).all()
    assert (item["report_sentence"][count:] == -1).all()


def test_duplicates_have_one_id(tokenize):
    ids = [int(tokenize(case)["report_id"]) for case in cases([*REPORTS, REPORTS[1].replace(". ", ".\n")])]
    assert ids[4] == ids[1] and len(set(ids)) == 4


def test_missing_report(tokenize, folder):
    with pytest.raises(T3DError, match="case case9 has no report"):
        tokenize({"case_id": "case9"})
    lenient = TokenizeReportd("report", load_tokenizer(folder), max_tokens=200, allow_missing_keys=True)
    assert lenient({"case_id": "case9"}) == {"case_id": "case9"}


def test_cut_is_said_once(folder, caplog):
    tokenize = TokenizeReportd("report", load_tokenizer(folder), max_tokens=16)
    for case in cases():
        tokenize(case)
    assert sum("cut at a sentence" in record.message for record in caplog.records) == 1
    assert tokenize.reports.cut_cases == {"case0", "case1", "case2", "case3"}


def test_live_and_cached_items_agree(tokenize, folder, tmp_path):
    encoder = TextEncoder(folder)
    features = ReportFeatures(encoder=encoder, tokenizer=load_tokenizer(folder), cache_dir=tmp_path, max_tokens=200)
    features.precompute(cases())
    features.release()
    cached = EncodeReportd("report", features)
    for case in cases():
        live, stored = tokenize(case), cached(case)
        assert set(live) == set(stored)
        for key in ("report_mask", "report_sentence", "report_id"):
            assert torch.equal(live[key], stored[key]) and live[key].dtype == stored[key].dtype
        given = encoder(live["report"][None])[0][live["report_mask"]]
        torch.testing.assert_close(given, stored["report"][live["report_mask"]], atol=1e-5, rtol=0)
        assert (stored["report"][~live["report_mask"]] == 0).all()


def test_reports_collate_with_workers(tokenize):
    loader = DataLoader(Dataset(cases(), Compose([tokenize])), batch_size=4, num_workers=1)
    batch = next(iter(loader))
    assert batch["report"].shape == batch["report_mask"].shape == (4, 200)
    assert batch["report_id"].shape == (4,) and batch["report_id"].dtype == torch.int64


def visible_sentences(item: dict) -> set[int]:
    return set(item["report_sentence"][item["report_mask"]].tolist()) - {-1}


@pytest.mark.parametrize(
    "sentences, kept", [("all", 5), (1.0, 5), (0.5, 2), (0.6, 3), (0.01, 1), (1, 1), (3, 3), (9, 5)]
)
def test_whole_sentences_are_hidden(tokenize, sentences, kept):
    item = tokenize(cases()[2])
    before = item["report_mask"].clone()
    hide = RandSentencesd("report_mask", sentences=sentences).set_random_state(0)
    seen = set()
    for _ in range(20):
        out = hide(item)
        chosen = visible_sentences(out)
        assert len(chosen) == kept
        expected = before & torch.tensor([s == -1 or s in chosen for s in item["report_sentence"].tolist()])
        assert torch.equal(out["report_mask"], expected)  # whole sentences, and special tokens stay
        assert torch.equal(out["report"], item["report"])
        seen |= chosen
    assert seen == set(range(5)), "every sentence gets its turn"
    assert torch.equal(item["report_mask"], before), "the cached item is left alone"


def test_choice_comes_from_the_transform_s_seed(tokenize):
    item = tokenize(cases()[2])

    def draw(seed):
        hide = RandSentencesd(sentences=2).set_random_state(seed)
        return [visible_sentences(hide(item)) for _ in range(10)]

    np.random.seed(1)
    first = draw(5)
    np.random.seed(2)
    assert draw(5) == first
    assert draw(6) != first


@pytest.mark.parametrize("sentences", [0, -1, 0.0, 1.5, True, "half", None])
def test_impossible_shares(sentences):
    with pytest.raises(T3DError, match="sentences"):
        RandSentencesd(sentences=sentences)
