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
