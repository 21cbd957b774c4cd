import pytest
import torch
from tiny_text import cases, make_encoder

from t3d.bundle.report_side import ReportSide
from t3d.errors import T3DError


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return make_encoder(tmp_path_factory.mktemp("encoder"))


def test_nothing_is_loaded_before_it_is_asked_for(tmp_path):
    side = ReportSide(use_text=True, report_cache=True, text_encoder="nobody/nothing", cache_dir=tmp_path / "none")
    assert side.live_encoder is None and len(side.steps) == 1 and not (tmp_path / "none").exists()
    live = ReportSide(use_text=True, report_cache=False, text_encoder=str(tmp_path))
    for part in ("live_encoder", "steps"):
        with pytest.raises(T3DError):
            getattr(live, part)


def test_without_text_there_is_nothing():
    side = ReportSide(use_text=False, report_cache=True, text_encoder=None)
    assert side.steps == [] and side.live_encoder is None and side.features is None
    side.check_width(5)
    side.check([{"case_id": "a"}])
    side.precompute([{"case_id": "a"}])


def test_live_tokens_give_the_cached_features(encoder, tmp_path):
    options = {"use_text": True, "text_encoder": encoder, "max_tokens": 64, "cache_dir": tmp_path}
    cached, live = (ReportSide(report_cache=kept, **options) for kept in (True, False))
    assert live.features is None and list(tmp_path.iterdir()) == []
    for side in (cached, live):
        side.check_width(32)
        with pytest.raises(T3DError, match="--text_width 32"):
            side.check_width(31)
    live.check(cases())
    with pytest.raises(T3DError, match="case a"):
        live.check([{"case_id": "a", "report": " "}])
    cached.precompute(cases())
    for case in cases():
        (features,), (tokens,) = ([step(case) for step in side.steps] for side in (cached, live))
        assert torch.equal(features["report_id"], tokens["report_id"])
        assert torch.equal(features["report_mask"], tokens["report_mask"]) and features["report_mask"].sum() > 5
        with torch.no_grad():
            found = live.live_encoder(tokens["report"][None])[0]
        assert torch.allclose(found[tokens["report_mask"]], features["report"][features["report_mask"]], atol=1e-5)


def test_a_learning_encoder_has_no_cache(encoder, tmp_path):
    side = ReportSide(use_text=True, report_cache=True, text_encoder=encoder, trained_layers=1, cache_dir=tmp_path)
    with pytest.raises(T3DError, match="learns"):
        side.check_width(32)


@pytest.mark.parametrize("cached", [True, False], ids=["cached", "live"])
def test_sentences_come_from_a_frozen_encoder_through_the_cache(cached, encoder, tmp_path):
    options = {"use_text": True, "text_encoder": encoder, "max_tokens": 64, "cache_dir": tmp_path}
    learns = 0 if cached else 1
    side = ReportSide(report_cache=cached, trained_layers=learns, use_sentences=True, **options)
    bare = ReportSide(report_cache=cached, trained_layers=learns, **options)
    assert bare.sentences is None and len(bare.steps) == 1 and len(side.steps) == 2
    side.precompute(cases())
    assert not any(p.requires_grad for p in side.sentences.encoder.parameters())
    assert (tmp_path / "sentences").is_dir()
    for case in cases():
        (wanted,) = (step(case) for step in bare.steps)
        found = case
        for step in side.steps:
            found = step(found)
        assert set(found) - set(wanted) == {"said", "said_mask", "said_weight", "said_kind"}
        assert all(torch.equal(found[key], wanted[key]) for key in wanted if key != "case_id")
        assert torch.equal(found["said"], side.sentences.get(case["report"]).said)


def test_one_encoder_is_loaded_for_tokens_and_sentences(encoder, tmp_path):
    side = ReportSide(
        use_text=True, report_cache=True, text_encoder=encoder, max_tokens=64, cache_dir=tmp_path, use_sentences=True
    )
    side.precompute(cases())
    assert side.features.encoder is side.sentences.encoder is not None


def test_sentences_need_text_and_known_sections(encoder, tmp_path):
    options = {"report_cache": True, "text_encoder": encoder, "cache_dir": tmp_path, "use_sentences": True}
    assert ReportSide(use_text=False, **options).sentences is None
    with pytest.raises(T3DError, match="history"):
        ReportSide(use_text=True, sentence_sections=["history"], **options).sentences  # noqa: B018


def test_recorded_are_the_options_by_name_and_a_folder_as_the_place_where_it_lies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bert").mkdir()
    options = {"max_tokens": 7, "sections": ["impression"], "drop_comparisons": True}
    options |= {"report_cache": False, "sentence_sections": ["findings"]}
    side = ReportSide(use_text=True, text_encoder="bert", revision="r", trained_layers=2, **options)
    named = {"text_encoder": str(tmp_path / "bert"), "text_revision": "r", "trained_text_layers": 2}
    assert side.recorded == {**named, **options}
    assert ReportSide(use_text=False, report_cache=True, text_encoder="bert").record()["text_encoder"].endswith("bert")
    for name in ("owner/model", None):  # None: the twin without text
        assert ReportSide(use_text=False, report_cache=True, text_encoder=name).recorded["text_encoder"] == name


def test_a_record_says_which_encoder_it_was_and_another_is_refused(encoder, tmp_path, caplog):
    for options in ({"report_cache": True}, {"report_cache": False}):
        side = ReportSide(use_text=True, text_encoder=encoder, max_tokens=64, cache_dir=tmp_path, **options)
        identity = side.record()["text_identity"]
        assert identity.startswith("sha256:") and side.record() == {**side.recorded, "text_identity": identity}
        side.check_trained_with(side.record())
        side.check_trained_with({})  # of an earlier version
        with pytest.raises(T3DError, match=r"trained with the text encoder sha256:0123\.\., and this one is sha256"):
            side.check_trained_with({"text_identity": "sha256:0123"})
        with caplog.at_level("WARNING"):
            side.check_trained_with({"text_identity": "owner/model@abc"})
        assert "not compared with owner/model@abc" in caplog.text
    twin = ReportSide(use_text=False, report_cache=True, text_encoder=encoder)
    assert "text_identity" not in twin.record()
    twin.check_trained_with({"text_identity": "sha256:0123"})


def test_reports_read_otherwise_than_in_the_training_are_refused_unless_it_is_meant(encoder, tmp_path, caplog):
    options = {"use_text": True, "report_cache": True, "text_encoder": encoder, "cache_dir": tmp_path}
    recorded = ReportSide(max_tokens=64, **options).record()
    side = ReportSide(max_tokens=32, sections=["impression"], sentence_sections=["findings"], **options)
    with pytest.raises(T3DError, match="max_tokens 64 there, 32 here; sections .* Give --max_tokens and --sections"):
        side.check_trained_with(recorded)
    with caplog.at_level("WARNING"):
        side.check_trained_with(recorded, ignore=True)
    assert "max_tokens 64 there, 32 here" in caplog.text and "sentence_sections" not in caplog.text
    asked = ReportSide(max_tokens=64, sentence_sections=["findings"], use_sentences=True, **options)
    with pytest.raises(T3DError, match="sentence_sections .'impression'. there, .'findings'. here"):
        asked.check_trained_with(recorded)
