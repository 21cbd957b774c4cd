"""Every distinct sentence is encoded once, alone, and kept without its text."""

import hashlib
import logging
import math
import pickle
import re
from functools import partial

import numpy as np
import pytest
import safetensors.torch
import torch
from tiny_text import REPORTS, cases, make_encoder

from t3d.errors import T3DError
from t3d.networks.text_encoder import TextEncoder, load_tokenizer
from t3d.reports.sentence_counts import SentenceCounts
from t3d.reports.sentence_features import SentenceFeatures
from t3d.reports.tokens import report_number


class CountingEncoder:
    """Features that are a function of the token alone; remembers what it was asked for."""

    width, identity = 3, "counting"

    def __init__(self):
        self.asked = []

    def __call__(self, ids):
        self.asked += [tuple(row[row != 0].tolist()) for row in ids]
        return torch.stack([ids, ids * 2, -ids], dim=-1).float()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_encoder(tmp_path_factory.mktemp("text"))


@pytest.fixture(scope="module")
def tokenizer(folder):
    return load_tokenizer(folder)


@pytest.fixture
def make(tokenizer, tmp_path):
    def features(encoder=None, **options):
        options = {"cache_dir": tmp_path / "sentences", "max_tokens": 64, **options}
        return SentenceFeatures(encoder=encoder or CountingEncoder(), tokenizer=tokenizer, **options)

    return features


def files(features):
    return sorted(path for path in features.cache_dir.rglob("*") if path.is_file())


def test_each_distinct_sentence_is_encoded_once_and_alone(make, tokenizer):
    features = make()
    assert features.precompute(cases([*REPORTS, REPORTS[0]]), batch_size=5) == 12
    assert len(features.encoder.asked) == len(set(features.encoder.asked)) == 12
    assert tuple(tokenizer("The lungs are clear.")["input_ids"]) in features.encoder.asked
    assert len(files(features)) == 4
    assert features.precompute(cases()) == 0 and make().precompute(cases()) == 0


def test_sentences_that_come_again_later_are_not_encoded_again(make, monkeypatch):
    monkeypatch.setattr("t3d.reports.sentence_features._TOGETHER", 1)
    features = make()
    assert features.precompute(cases(), batch_size=2) == 12
    assert len(features.encoder.asked) == 12


def test_a_feature_is_the_mean_over_the_own_tokens(make, tokenizer):
    features = make()
    said, asked_from, weight, _ = features.get(REPORTS[3])
    texts = ["The lungs are clear.", "There is a cyst of the left kidney.", "Left kidney cyst."]
    for row, text in zip(said, texts, strict=True):
        mean = sum(ids := tokenizer(text, add_special_tokens=False)["input_ids"]) / len(ids)
        assert torch.allclose(row, torch.tensor([mean, 2 * mean, -mean]))
    assert said.dtype == torch.float32 and asked_from.tolist() == [False, False, True]
    assert weight.dtype == torch.float32 and weight.tolist() == [1, 1, 1]


def test_a_sentence_does_not_depend_on_those_it_is_encoded_with(make, folder):
    encoder = TextEncoder(folder)
    together, alone = make(encoder), make(encoder, cache_dir=folder + "-alone")
    together.precompute(cases(), batch_size=12)
    alone.precompute(cases(), batch_size=1)
    for report in REPORTS:
        torch.testing.assert_close(together.get(report).said, alone.get(report).said, atol=1e-5, rtol=0)
    # as of a sentence by itself, and not of the report that it stands in
    ids = load_tokenizer(folder)("Normal exam.", return_tensors="pt")["input_ids"]
    torch.testing.assert_close(together.get(REPORTS[1]).said[-1], encoder(ids)[0, 1:-1].mean(dim=0), atol=1e-5, rtol=0)


def test_a_long_sentence_is_cut_as_reports_are(make):
    features = make(max_tokens=8)
    features.precompute(cases(["Right lower lobe nodule and left pleural effusion and left kidney cyst and nodule."]))
    assert [len(ids) for ids in features.encoder.asked] == [8]


def test_what_many_cases_say_weighs_less(make):
    features = make()
    features.precompute(cases([*REPORTS, REPORTS[3]]))
    found = features.get(REPORTS[1]).weight.tolist()
    # "The lungs are clear." in cases 0, 1, 3, 4; "The liver is normal." in 1, 2; "No pleural effusion." in 0, 1
    assert found == pytest.approx([1 / 2, 1 / math.sqrt(2), 1 / math.sqrt(2), 1])
    assert features.get(REPORTS[3]).weight.tolist() == pytest.approx([0.5, 1 / math.sqrt(2), 1 / math.sqrt(2)])


def test_weights_do_not_depend_on_the_order_and_go_to_workers(make):
    one, other = make(), make()
    one.precompute(cases())
    other.precompute(cases()[::-1])
    copy = pickle.loads(pickle.dumps(one))
    assert copy.encoder is None
    for report in REPORTS:
        for found in (other.get(report), copy.get(report)):
            assert all(torch.equal(a, b) for a, b in zip(found, one.get(report), strict=True))
    with pytest.raises(T3DError, match="sentence features of case c are not in .*run precompute"):
        copy.get("A new sentence.", "c")


def test_counts_are_two_small_arrays():
    counts = SentenceCounts([(5, 4), (-3, 9), (7, 1)])
    assert counts.weight(np.array([7, 5, -3, 6, 100, -100])).tolist() == pytest.approx([1, 1 / 2, 1 / 3, 1, 1, 1])
    kept = [value for value in vars(counts).values() if isinstance(value, np.ndarray)]
    assert [array.tolist() for array in kept] == [[-3, 5], [9, 4]]
    assert SentenceCounts().weight(np.array([1, 2])).tolist() == [1, 1]


def test_cases_that_cannot_be_asked_are_counted_once(make, caplog):
    caplog.set_level(logging.INFO)
    features = make()
    silent = ["IMPRESSION: Unchanged since the prior CT.", "1. 2. 3.", "1. 2. 3."]
    features.precompute(cases([*REPORTS, *silent]))
    told = [record.message for record in caplog.records if "asked" in record.message]
    assert told == ["3 of 7 cases have no sentence that can be asked about; they take part in all else"]
    assert [len(part) for part in features.get("1. 2. 3.")] == [0, 0, 0, 0]
    assert features.get("1. 2. 3.").said.shape == (0, 3)
    found = features.get(silent[0])
    assert len(found.said) == 1 and not found.asked_from.any()
    assert not any("prior" in record.message or "nodule" in record.message for record in caplog.records)


def test_what_the_encoder_cannot_read_is_not_said(make):
    features = make()
    text = "所见：双肺清晰。肝脏正常。\n印象：右肺结节。"
    features.precompute(cases([text, "Clear."]))
    assert len(features.get(text).said) == 0
    mixed = features.get("The lungs are clear. 右肺结节。")
    assert len(mixed.said) == 1 and mixed.asked_from.tolist() == [True]


def test_other_sections_read_the_same_files(make):
    make().precompute(cases())
    other = make(sections=["findings"])
    assert other.precompute(cases()) == 0
    assert other.get(REPORTS[3]).asked_from.tolist() == [True, True, False]
    with pytest.raises(T3DError, match="history"):
        make(sections=["history"])


def test_neither_text_nor_tokens_are_stored(make, tokenizer):
    features = make(TextEncoder(tokenizer.name_or_path))
    features.precompute(cases())
    stored = b""
    for path in files(features):
        tensors = safetensors.torch.load_file(path)
        assert {name: value.dtype for name, value in tensors.items()} == {
            "features": torch.float32, "number": torch.int64, "known": torch.bool,
        }  # fmt: skip
        stored += path.read_bytes() + str(path.relative_to(features.cache_dir)).encode()
        # nor a checksum of the text alone, which a list of likely sentences would undo
        for text in re.findall(r"[A-Z][^.:]+\.", " ".join(REPORTS)):
            assert report_number([text]) not in tensors["number"].tolist()
            assert hashlib.sha256(text.encode()).hexdigest() not in path.name
    for word in set(re.findall(r"[a-z]{4,}", " ".join(REPORTS).lower())):
        assert word.encode() not in stored.lower()


@pytest.mark.parametrize("damage", [lambda b: b[:-7], lambda b: b""])
def test_a_damaged_file_is_computed_anew(make, damage, caplog):
    features = make()
    features.precompute(cases())
    path = features._look_up(REPORTS[2], "case2")[0]
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    features.precompute(cases())
    assert path.read_bytes() == whole
    assert "the cached sentence features of case case2 are damaged: computed anew" in caplog.text


def test_missing_reports_and_learning_encoders_are_refused(make, folder):
    with pytest.raises(T3DError, match="case case1 has an empty report"):
        make().precompute(cases(["Clear.", " "]))
    with pytest.raises(T3DError, match="case c has no report"):
        make().get(None, "c")
    with pytest.raises(T3DError, match="learns"):
        make(TextEncoder(folder, trained_layers=1))


def test_nothing_is_made_before_it_is_needed(tokenizer, tmp_path):
    made = []

    def encoder():
        made.append(1)
        return CountingEncoder()

    features = SentenceFeatures(encoder=partial(encoder), tokenizer=tokenizer, cache_dir=tmp_path / "none")
    assert made == [] and not (tmp_path / "none").exists()
    features.get("Clear.")
    features.get("Clear lungs.")
    assert made == [1]
