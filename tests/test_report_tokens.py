import logging

import pytest
import torch
from tiny_text import REPORTS, cases, make_encoder
from tokenizers import ByteLevelBPETokenizer
from transformers import PreTrainedTokenizerFast

from t3d.errors import T3DError
from t3d.networks.text_encoder import load_tokenizer
from t3d.reports.tokens import ReportTokenizer, report_number


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return load_tokenizer(make_encoder(tmp_path_factory.mktemp("text")))


def test_tokens_are_those_of_the_running_text(tokenizer):
    reports = ReportTokenizer(tokenizer, max_tokens=256)
    for report in REPORTS:
        text = " ".join(reports.sentences(report, "a"))
        tokens = reports(report, "a")
        assert tokens.ids.tolist() == tokenizer(text)["input_ids"]
        assert tokens.ids.dtype == tokens.sentence.dtype == torch.int64
        assert not tokens.cut


def test_byte_level_tokenizers_see_the_spaces_between_sentences():
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(REPORTS, vocab_size=400, special_tokens=["<pad>"])
    fast = PreTrainedTokenizerFast(tokenizer_object=bpe._tokenizer, pad_token="<pad>")
    reports = ReportTokenizer(fast, max_tokens=256)
    text = " ".join(reports.sentences(REPORTS[0], "a"))
    assert reports(REPORTS[0], "a").ids.tolist() == fast(text)["input_ids"]


def test_every_token_knows_its_sentence(tokenizer):
    reports = ReportTokenizer(tokenizer, max_tokens=256)
    tokens = reports(REPORTS[2], "a")
    assert tokens.sentence[0] == tokens.sentence[-1] == -1
    for number, sentence in enumerate(reports.sentences(REPORTS[2], "a")):
        ids = tokens.ids[tokens.sentence == number].tolist()
        assert ids == tokenizer(sentence, add_special_tokens=False)["input_ids"]
    assert tokens.sentence.max() == number == 4


def test_long_report_is_cut_at_a_sentence_and_counted(tokenizer, caplog):
    whole = ReportTokenizer(tokenizer, max_tokens=256)(REPORTS[0], "a")
    first_two = int((whole.sentence <= 1).sum())  # special tokens included
    reports = ReportTokenizer(tokenizer, max_tokens=first_two + 3)
    with caplog.at_level(logging.DEBUG, logger="t3d"):
        for _ in range(2):
            tokens = reports(REPORTS[0], "case7")
    assert tokens.cut and reports.cut_cases == {"case7"}
    assert tokens.ids.tolist() == [*whole.ids[: first_two - 1].tolist(), tokenizer.sep_token_id]
    assert tokens.sentence.max() == 1
    assert [r.levelno for r in caplog.records if "case7" in r.message] == [logging.DEBUG]
    assert "nodule" not in caplog.text


def test_first_sentence_alone_too_long_is_cut_within(tokenizer):
    tokens = ReportTokenizer(tokenizer, max_tokens=6)(REPORTS[0], "a")
    assert tokens.cut and len(tokens.ids) == 6
    assert tokens.sentence.tolist() == [-1, 0, 0, 0, 0, -1]


def test_check_counts_cut_reports_in_one_line(tokenizer, caplog):
    lengths = sorted(len(ReportTokenizer(tokenizer)(report, "a").ids) for report in REPORTS)
    reports = ReportTokenizer(tokenizer, max_tokens=lengths[1])
    assert reports.check(cases()) == 2
    assert f"2 of 4 reports are longer than max_tokens={lengths[1]}" in caplog.text


@pytest.mark.parametrize("report, found", [(None, "NoneType"), (float("nan"), "float"), ("  ,\n", "empty report")])
def test_missing_and_empty_reports_name_the_case(tokenizer, report, found):
    with pytest.raises(T3DError, match=rf"case17 .*{found}.*--use_text False"):
        ReportTokenizer(tokenizer, max_tokens=64)(report, "case17")


@pytest.mark.parametrize("max_tokens, match", [(2, "no room"), (257, "at most 256")])
def test_impossible_lengths(tokenizer, max_tokens, match):
    with pytest.raises(T3DError, match=match):
        ReportTokenizer(tokenizer, max_tokens=max_tokens)


def test_tokenizer_without_padding_is_refused():
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(REPORTS, vocab_size=300)
    with pytest.raises(T3DError, match="no padding token"):
        ReportTokenizer(PreTrainedTokenizerFast(tokenizer_object=bpe._tokenizer), max_tokens=64)


def test_identity_follows_the_rules_not_the_calls(tokenizer, tmp_path):
    reports = ReportTokenizer(tokenizer, max_tokens=64)
    before = reports.identity
    tokenizer(["a report", "b"], padding=True, truncation=True, max_length=3)
    assert reports.identity == before
    assert ReportTokenizer(tokenizer, max_tokens=64).identity == before
    assert ReportTokenizer(tokenizer, max_tokens=65).identity != before
    assert ReportTokenizer(tokenizer, max_tokens=64, sections="findings").identity != before
    tokenizer.save_pretrained(tmp_path)
    changed = type(tokenizer).from_pretrained(tmp_path)
    changed.add_tokens(["ventricle"])
    assert ReportTokenizer(changed, max_tokens=64).identity != before


def test_report_number_tells_texts_apart(tokenizer):
    reports = ReportTokenizer(tokenizer, max_tokens=64)
    numbers = [report_number(reports.sentences(report, "a")) for report in REPORTS]
    assert len(set(numbers)) == 4
    assert all(-(2**63) <= number < 2**63 for number in numbers)
    reflowed = REPORTS[0].replace(" ", "  ").replace(".  No", ".\nNo")
    assert report_number(reports.sentences(reflowed, "a")) == numbers[0]
    # A fixed value: a number that changed between runs or machines would make duplicates look different.
    assert report_number(["The lungs are clear."]) == 2671718395633455296


def test_dropped_comparisons_change_the_sentences_and_the_identity(tokenizer):
    text = "FINDINGS: A small cyst. Unchanged nodule. No effusion."
    plain = ReportTokenizer(tokenizer, max_tokens=64)
    dropping = ReportTokenizer(tokenizer, max_tokens=64, drop_comparisons=True)
    assert plain.sentences(text, "a") == ["A small cyst.", "Unchanged nodule.", "No effusion."]
    assert dropping.sentences(text, "a") == ["A small cyst.", "No effusion."]
    assert dropping.identity != plain.identity
    # as `--drop_comparisons false` arrives from MONAI's command line
    assert ReportTokenizer(tokenizer, max_tokens=64, drop_comparisons="false").identity == plain.identity
    assert ReportTokenizer(tokenizer, max_tokens=64, drop_comparisons="true").identity == dropping.identity
    with pytest.raises(T3DError, match="--drop_comparisons is 'maybe'; give True or False"):
        ReportTokenizer(tokenizer, max_tokens=64, drop_comparisons="maybe")
    assert plain.identity == ReportTokenizer(tokenizer, max_tokens=64, drop_comparisons=False).identity
