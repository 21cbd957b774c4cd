"""What a text encoder knows only as [UNK] is said by the training, by t3d reports and by t3d check."""

import json
import logging

import pytest
from tiny_text import REPORTS, cases, make_encoder

from t3d.check.reports import ReportBook
from t3d.cli import main
from t3d.networks.text_encoder import TextEncoder, load_tokenizer
from t3d.reports.features import ReportFeatures
from t3d.reports.tokens import ReportTokenizer
from t3d.reports.unknown import foreign_share

CHINESE = ["双肺清晰。", "左肺结节。"]  # as long as each other, and no sign of them is in the vocabulary


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> str:
    return make_encoder(tmp_path_factory.mktemp("encoder"))


def live(folder, tmp_path, items):
    ReportTokenizer(load_tokenizer(folder), max_tokens=160).check(items)


def cached(folder, tmp_path, items):
    ReportFeatures(
        encoder=TextEncoder(folder), tokenizer=load_tokenizer(folder), cache_dir=tmp_path, max_tokens=160
    ).precompute(items)


@pytest.mark.parametrize("way", [live, cached])
def test_training_says_the_share(way, folder, tmp_path, caplog):
    with caplog.at_level(logging.WARNING, logger="t3d"):
        way(folder, tmp_path, cases())
    assert "[UNK]" not in caplog.text
    with caplog.at_level(logging.WARNING, logger="t3d"):
        way(folder, tmp_path, cases([*REPORTS, *CHINESE]))
    assert "of the tokens only as [UNK]; in 2 of 6 reports it is 5 % or more (case4, case5)" in caplog.text
    assert "1 of 6 reports become the same tokens as another, different report (case5)" in caplog.text
    assert not any(sign in caplog.text for sign in "".join(CHINESE))


def test_the_share_is_counted(folder):
    reports = ReportTokenizer(load_tokenizer(folder), max_tokens=160)
    unknown = reports.unknown_tokens()
    for item in cases(["The lungs are clear.", CHINESE[0]]):
        tokens, number = reports.read(item["report"], item["case_id"])
        unknown.add(item["case_id"], tokens.ids, number)
    (unk,) = {reports.tokenizer.unk_token_id}
    assert unknown.unknown == int((reports(CHINESE[0]).ids == unk).sum()) > 0
    assert unknown.tokens == sum(len(reports(text).ids) for text in ("The lungs are clear.", CHINESE[0]))
    assert unknown.cases == ["case1"] and unknown.confused == []


def test_the_command_counts_with_an_encoder_and_warns_without(folder, tmp_path, caplog):
    datalist = tmp_path / "datalist.json"
    datalist.write_text(
        json.dumps({"training": [item | {"patient_id": item["case_id"]} for item in cases([REPORTS[0], *CHINESE])]})
    )
    out = tmp_path / "out.json"
    with caplog.at_level(logging.INFO, logger="t3d"):
        main(["reports", str(datalist)])
    assert "2 cases have letters that an English vocabulary may know only as [UNK]" in caplog.text
    with caplog.at_level(logging.INFO, logger="t3d"):
        main(["reports", str(datalist), "--text_encoder", folder, "--out_file", str(out)])
    assert "training: text encoder" in caplog.text and "in 2 of 3 reports" in caplog.text
    told = json.loads(out.read_text())["unknown_tokens"]["training"]
    assert told["cases"] == ["case1", "case2"] and told["confused"] == ["case2"] and told["unknown"] > 0
    assert not any(sign in caplog.text + out.read_text() for sign in "".join(CHINESE))


def test_check_names_reports_of_another_alphabet():
    book = ReportBook(3, max_tokens=512)
    for number, text in enumerate([REPORTS[0], "Übrige Organe normal, Größe 1,2 cm², İki.", CHINESE[0]]):
        book.add(number, text)
    cases = [(f"k{n}", "training", f"p{n}") for n in range(3)]
    (remark,) = book.remarks(cases, needed=True)
    assert remark.case_id == "k2" and remark.kind == "unknown letters" and not remark.fault
    assert "100 % of its letters" in remark.what and "[UNK]" in remark.what
    assert book.table()["in_another_alphabet"] == 1


def test_share_of_letters():
    assert foreign_share("Übrige Organe: 1,2 cm") == 0.0
    assert foreign_share("ab, АБ 12") == 0.5
    assert foreign_share("12") == 0.0
