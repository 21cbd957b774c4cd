"""Centre and scale of text features over the distinct reports and sentences of a list."""

import pytest
import torch
from tiny_text import REPORTS, cases, make_encoder

from t3d.bundle.report_side import ReportSide
from t3d.networks.text_scale import TextScale
from t3d.reports.text_scale import ChannelMoments


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return make_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture
def side(encoder, tmp_path):
    def make(**options):
        options = {"report_cache": True, "use_sentences": True, "max_tokens": 64, **options}
        return ReportSide(use_text=True, text_encoder=encoder, cache_dir=tmp_path, **options)

    return make


def test_moments_are_those_of_all_rows_at_once():
    rows = torch.randn(50, 6, dtype=torch.float64) * torch.arange(1, 7) + 1000
    moments = ChannelMoments(6)
    for part in rows.split([1, 0, 30, 19]):
        moments.add(part)
    centre, scale = moments.scale()
    assert centre.dtype == scale.dtype == torch.float32
    torch.testing.assert_close(centre, rows.mean(dim=0).float(), rtol=1e-7, atol=0)
    torch.testing.assert_close(scale, rows.std(dim=0, correction=0).float(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("others", [0.0, 3.0])
def test_a_constant_channel_becomes_zero(others):
    rows = torch.randn(40, 3) * others + 7.3
    rows[:, 1] = 7.3
    moments = ChannelMoments(3)
    for part in rows.split(7):
        moments.add(part)
    centre, scale = moments.scale()
    found = (rows - centre) / scale
    assert found[:, 1].abs().max() == 0 and found.isfinite().all()
    # and what another list has there is not blown up
    assert ((torch.full((1, 3), 7.31) - centre) / scale).abs().max() < 2


def test_without_rows_nothing_is_scaled():
    centre, scale = ChannelMoments(2).scale()
    assert centre.tolist() == [0, 0] and scale.tolist() == [1, 1]


def test_tokens_of_distinct_reports_and_distinct_sentences_count_once(side):
    made = side()
    items = cases([*REPORTS, REPORTS[2], REPORTS[2]])
    made.precompute(items)
    found = made.text_scale(items)
    assert isinstance(found, TextScale) and all(part.shape == (32,) for part in found)
    tokens = []
    for report in REPORTS:
        values, mask, _ = made.features.get(report)
        tokens.append(values[mask])
    sentences = torch.cat([made.sentences.get(report).said for report in REPORTS])
    distinct = torch.unique(sentences, dim=0)
    assert len(distinct) == 12 < len(sentences)
    for rows, centre, scale in (
        (torch.cat(tokens), found.token_centre, found.token_scale),
        (distinct, found.sentence_centre, found.sentence_scale),
    ):
        torch.testing.assert_close(centre, rows.mean(dim=0), atol=1e-5, rtol=0)
        deviation = rows.std(dim=0, correction=0)
        torch.testing.assert_close(scale, deviation.clamp_min(0.01 * float(deviation.square().mean().sqrt())))


def test_equal_in_any_order_and_in_another_process(side):
    first = side()
    first.precompute(cases())
    expected = first.text_scale(cases())
    for items in (cases()[::-1], cases()[2:] + cases()[:2], cases() + cases()):
        other = side()  # knows nothing of the first but its folder
        assert all(torch.equal(a, b) for a, b in zip(other.text_scale(items), expected, strict=True))


def test_tokens_of_a_live_encoder_are_not_scaled_and_sentences_are(side):
    cached, live = side(), side(report_cache=False, trained_layers=1)
    cached.precompute(cases())
    found, expected = live.text_scale(cases()), cached.text_scale(cases())
    assert not found.token_centre.any() and (found.token_scale == 1).all()
    assert torch.equal(found.sentence_centre, expected.sentence_centre)
    assert torch.equal(found.sentence_scale, expected.sentence_scale)


def test_without_sentences_or_text(side, encoder):
    found = side(use_sentences=False).text_scale(cases())
    assert not found.sentence_centre.any() and (found.sentence_scale == 1).all() and found.token_centre.any()
    assert ReportSide(use_text=False, report_cache=True, text_encoder=encoder).text_scale(cases()) is None
