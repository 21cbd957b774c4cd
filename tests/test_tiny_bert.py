import json
import shutil
from pathlib import Path

import pytest
import torch
from tiny_text import REPORTS

from t3d.demo.tiny_bert import SPECIAL_TOKENS, tiny_bert, vocabulary
from t3d.errors import T3DError
from t3d.networks.text_encoder import TextEncoder, load_tokenizer

SMALL = {"width": 32, "heads": 2, "max_tokens": 64}


def contents(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def test_same_texts_same_bytes_in_any_order(tmp_path):
    first = contents(tiny_bert(tmp_path / "a", REPORTS, **SMALL))
    state = torch.random.get_rng_state()
    assert contents(tiny_bert(tmp_path / "b", REPORTS[::-1], **SMALL)) == first
    assert torch.equal(torch.random.get_rng_state(), state), "the caller's random numbers are left alone"
    other_seed = contents(tiny_bert(tmp_path / "c", REPORTS, **SMALL, seed=1))
    assert other_seed["model.safetensors"] != first["model.safetensors"]
    assert other_seed["vocab.txt"] == first["vocab.txt"]


def test_it_is_a_text_encoder(tmp_path):
    folder = tiny_bert(tmp_path / "a", REPORTS, **SMALL, layers=3)
    encoder, tokenizer = TextEncoder(folder, trained_layers=3), load_tokenizer(folder)
    assert (encoder.width, encoder.max_tokens, tokenizer.model_max_length) == (32, 64, 64)
    pieces = tokenizer.convert_ids_to_tokens(tokenizer("The LUNGS are 1.2 pqr")["input_ids"])
    assert pieces == ["[CLS]", "the", "lungs", "are", "1", ".", "2", "p", "##q", "##r", "[SEP]"] or (
        pieces[:-2] == ["[CLS]", "the", "lungs", "are", "1", ".", "2"] and pieces[-2] == "[UNK]"
    )


def test_vocabulary_is_characters_then_frequent_words():
    texts = ["Ab ab ab cd", "ab cd.", "cd AB ef", "ef x9 x9", "x9 x9 é"]
    characters = [".", *"0123456789", *"abcdefx"]
    expected = SPECIAL_TOKENS + characters + [f"##{c}" for c in characters if c != "."] + ["ab", "cd"]
    assert vocabulary(texts, 1000) == expected[:-2] + ["ab", "cd"]
    assert vocabulary(texts, len(expected) - 1) == expected[:-1]


def test_words_of_few_reports_stay_out():
    name = ["Smith Smith Smith Smith saw 1957 1957 1957", "the 1957", "the Smith", "the end"]
    words = set(vocabulary(name, 1000))
    assert "the" in words
    assert not words & {"smith", "1957", "saw"}
    assert "smith" not in set(vocabulary([name[0]] * 5, 1000)), "a copied report counts once"


def test_the_record_has_no_text(tmp_path):
    folder = tiny_bert(tmp_path / "a", REPORTS, **SMALL)
    record = json.loads((Path(folder) / "tiny_bert.json").read_text())
    assert record["texts"] == 4 and len(record["sha256"]) == 64
    joined = b"".join(contents(folder).values()).lower()
    for word in (b"kidney cyst", b"nodule", b"enlarged"):  # each in fewer than three reports
        assert word not in joined


def test_a_folder_is_reused_or_refused(tmp_path):
    folder = Path(tiny_bert(tmp_path / "a", REPORTS, **SMALL))
    marked = (folder / "model.safetensors").stat().st_mtime_ns
    assert tiny_bert(folder, REPORTS, **SMALL) == str(folder)
    assert (folder / "model.safetensors").stat().st_mtime_ns == marked
    with pytest.raises(T3DError, match="other reports or settings"):
        tiny_bert(folder, REPORTS, **SMALL, seed=1)
    with pytest.raises(T3DError, match="other reports or settings"):
        tiny_bert(folder, REPORTS[1:], **SMALL)
    (folder / "model.safetensors").unlink()
    with pytest.raises(T3DError, match="delete it"):
        tiny_bert(folder, REPORTS, **SMALL)


def test_an_empty_folder_is_filled_and_nothing_else_is_left(tmp_path):
    (tmp_path / "a").mkdir()
    folder = tiny_bert(tmp_path / "a", REPORTS, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert load_tokenizer(folder)


def test_two_processes_may_make_the_same_folder(tmp_path, monkeypatch):
    rival = tiny_bert(tmp_path / "rival", REPORTS, **SMALL)
    target = tmp_path / "a"

    def rename(source, destination):
        shutil.copytree(rival, destination)  # the other process is done first
        raise OSError(39, "Directory not empty")

    monkeypatch.setattr("t3d.demo.tiny_bert.os.rename", rename)
    assert contents(tiny_bert(target, REPORTS, **SMALL)) == contents(rival)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "rival"]


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("t3d.demo.tiny_bert._write", full)
    with pytest.raises(T3DError, match="No space left"):
        tiny_bert(tmp_path / "a", REPORTS, **SMALL)
    assert list(tmp_path.iterdir()) == []


def test_pretraining_changes_the_weights_only(tmp_path):
    plain = contents(tiny_bert(tmp_path / "a", REPORTS, **SMALL))
    trained = contents(tiny_bert(tmp_path / "b", REPORTS, **SMALL, pretrain_steps=2))
    assert trained.keys() == plain.keys()
    assert trained["vocab.txt"] == plain["vocab.txt"] and trained["config.json"] == plain["config.json"]
    assert trained["model.safetensors"] != plain["model.safetensors"]
    assert contents(tiny_bert(tmp_path / "c", REPORTS, **SMALL, pretrain_steps=2)) == trained
    assert TextEncoder(str(tmp_path / "b")).width == 32


@pytest.mark.parametrize(
    "texts, options, match",
    [
        ([" "], {}, "no report text"),
        (REPORTS, {"width": 30, "heads": 4}, "not divisible by 4"),
        (REPORTS, {"vocab_size": 20}, "vocab_size 20 is too small"),
    ],
)
def test_impossible_requests(tmp_path, texts, options, match):
    with pytest.raises(T3DError, match=match):
        tiny_bert(tmp_path / "a", texts, **options)
    assert not (tmp_path / "a").exists()
