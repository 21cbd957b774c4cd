import math

import pytest
import torch

from t3d.evaluate.gauge_report import draw
from t3d.evaluate.gauges import effective_rank, summarise
from t3d.evaluate.verdict import verdict
from t3d.evaluate.wrong_reports import another_report, least_alike_report
from t3d.losses.contrast import contrast_losses
from t3d.reports.sentence_kinds import NAMES


def test_effective_rank_of_known_spectra():
    assert effective_rank(torch.tensor([[1.0, 2, 3]]) * torch.arange(5.0)[:, None]) == pytest.approx(1.0)
    even = torch.cat([torch.eye(4), -torch.eye(4)])
    assert effective_rank(even) == pytest.approx(4.0)
    assert effective_rank(torch.ones(6, 3)) == pytest.approx(1.0, abs=1e-6)


def test_another_report_skips_equal_ones():
    other, usable = another_report(torch.tensor([7, 7, 9]))
    assert other.tolist() == [2, 2, 0] and usable.all()
    _, usable = another_report(torch.tensor([7, 7]))
    assert not usable.any()


def values(hit, blind, gain=0.0, spread=None):
    count = 64
    generator = torch.Generator().manual_seed(0)
    noise = 0.01 * torch.randn(count, generator=generator)
    return {
        "hit": torch.full((count,), hit) + noise,
        "shortcut_hit": torch.full((count,), blind) + noise,
        "error": 0.1 + noise.abs(),
        "error_corrupted": 0.1 + noise.abs(),
        "input_error": torch.full((count,), 0.3),
        "volume": torch.randn(count, 8, generator=generator) if spread is None else spread,
        "case": torch.arange(count),
        "patient": torch.arange(count),
        "contrast_gain": gain + noise,
        "histogram_hit": torch.full((count,), 0.1),
        "restoration_gain": noise,
    }


def test_a_healthy_run():
    gauges = summarise(values(0.6, 1 / 16, gain=0.1), batch_size=16)
    assert gauges["tic_accuracy"] == pytest.approx(0.6, abs=0.01)
    assert gauges["cases"] == 64 and gauges["batch_size"] == 16 and gauges["tic_chance"] == 1 / 16
    said = " ".join(map(str, verdict(gauges)))
    assert "The report is used" in said
    assert not any(word in said for word in ("SHORTCUT", "COLLAPSED", "NOT", "UNUSED"))


@pytest.mark.parametrize(
    ("word", "measured"),
    [
        ("SHORTCUT", values(0.99, 0.9)),
        ("COLLAPSED", values(0.6, 1 / 16, spread=torch.arange(64.0)[:, None] * torch.ones(1, 8))),
        ("NOT LEARNT", values(1 / 16, 1 / 16)),
        ("TEXT UNUSED", values(0.6, 1 / 16)),
        ("NOT RESTORED", values(0.6, 1 / 16) | {"input_error": torch.full((64,), 0.05)}),
    ],
)
def test_each_illness_is_said_in_words(word, measured):
    assert word in [said.trouble for said in verdict(summarise(measured, batch_size=16))]


def test_a_gain_that_is_sure_but_tiny_is_no_use_of_the_report():
    measured = values(0.6, 1 / 16) | {
        "contrast_gain": torch.full((64,), 0.001),
        "restoration_gain": torch.full((64,), 1e-5),
    }
    assert "TEXT UNUSED" in [said.trouble for said in verdict(summarise(measured, batch_size=16))]
    measured["restoration_gain"] = torch.full((64,), 0.002)  # of an error of .1
    assert "TEXT UNUSED" not in [said.trouble for said in verdict(summarise(measured, batch_size=16))]


@pytest.mark.parametrize("count", [1, 2, 7])
def test_too_few_cases_say_only_that(count):
    few = {name: value[:count] for name, value in values(0.6, 1 / 16).items()}
    (said,) = verdict(summarise(few, batch_size=count))
    assert said.trouble == "TOO FEW CASES" and str(said).startswith(f"TOO FEW CASES: {count} held-out")


def test_the_twin_has_no_text_gauges():
    measured = values(0.6, 1 / 16)
    del measured["contrast_gain"], measured["restoration_gain"]
    gauges = summarise(measured, batch_size=16)
    assert gauges["text_gain_contrast"] is None
    assert not any("report" in said.words for said in verdict(gauges))


def test_sentences_are_held_against_their_own_chance():
    measured = values(0.6, 1 / 16) | {
        "sentence_hit": torch.full((64,), 0.3),
        "sentence_chance": torch.full((64,), 0.1),
    }
    measured["sentence_hit"][3] = torch.nan  # a case without a sentence
    measured["sentence_chance"][3] = torch.nan
    gauges = summarise(measured, batch_size=16)
    assert gauges["sentence_accuracy"] == pytest.approx(0.3) and gauges["sentence_chance"] == pytest.approx(0.1)
    said = verdict(gauges)
    assert any("The encoder holds what reports say: 30.0%" in str(one) for one in said)
    assert "TEXT UNUSED" not in [one.trouble for one in said]
    measured["sentence_hit"] = torch.full((64,), 0.1)
    assert "SENTENCES NOT LEARNT" in [one.trouble for one in verdict(summarise(measured, batch_size=16))]


@pytest.mark.parametrize(
    ("loss", "words"),
    [(0.0, "where log(candidates), a guess, has 2.773"), (0.3, "worse than a guess"), (-0.5, None)],
)
def test_a_loss_of_a_guess_is_not_learnt_whatever_the_top_1(loss, words):
    noise = 0.1 * torch.randn(64, generator=torch.Generator().manual_seed(4))
    excess = loss + noise - noise.mean()
    measured = values(0.2, 1 / 16, gain=0.1) | {"tic_excess": excess, "tic_loss": excess + math.log(16)}
    said = verdict(summarise(measured, batch_size=16))
    troubles = [str(one) for one in said if one.trouble == "NOT LEARNT"]
    assert len(troubles) == (0 if words is None else 1) and all(words in trouble for trouble in troubles)


def test_findings_that_are_not_among_what_is_learnt_are_said():
    asked = torch.zeros(64, len(NAMES))
    asked[:, : NAMES.index("normal") + 1] = 1
    hit = torch.full_like(asked, 0.5)
    measured = values(0.6, 1 / 16) | {
        "sentence_hit": torch.full((64,), 0.4),
        "sentence_chance": torch.full((64,), 0.1),
        "kind_asked": asked,
        "kind_hit": hit,
        "kind_chance": torch.full_like(asked, 0.1),
    }
    assert "FINDINGS NOT LEARNT" not in [one.trouble for one in verdict(summarise(measured, batch_size=16))]
    hit[:, NAMES.index("present")] = 0.1
    gauges = summarise(measured, batch_size=16)
    assert "FINDINGS NOT LEARNT" in [one.trouble for one in verdict(gauges)]
    gauges["sentence_kinds"]["present"]["too_few"] = True
    assert "FINDINGS NOT LEARNT" not in [one.trouble for one in verdict(gauges)]


def test_a_histogram_that_does_as_well_is_said():
    measured = values(0.6, 1 / 16, gain=0.1) | {"histogram_hit": torch.full((64,), 0.8)}
    assert "HISTOGRAM" in [one.trouble for one in verdict(summarise(measured, batch_size=16))]


def test_troubles_come_first():
    said = verdict(summarise(values(0.6, 0.9), batch_size=16))
    assert [one.trouble is None for one in said] == sorted(one.trouble is None for one in said)


def test_what_was_not_trained_is_not_drawn_and_not_judged():
    alone = {key: value for key, value in values(0.6, 1 / 16).items() if key in ("volume", "case", "patient")}
    gauges = summarise(
        alone | {"sentence_hit": torch.full((64,), 0.3), "sentence_chance": torch.full((64,), 0.1)}, batch_size=16
    )
    assert gauges["tic_accuracy"] is None and gauges["restoration_error"] is None
    assert [one.trouble for one in verdict(gauges)] == [None]
    assert [axes.get_title() for axes in draw(gauges).axes] == ["sentences that find their volume"]
    assert len(draw(summarise(values(0.6, 1 / 16), batch_size=16)).axes) == 3


def test_a_loss_says_by_how_much_where_a_hit_says_whether():
    anchor = torch.nn.functional.normalize(torch.randn(5, 2, 8, generator=torch.Generator().manual_seed(1)), dim=-1)
    candidate = torch.nn.functional.normalize(torch.randn(5, 2, 8, generator=torch.Generator().manual_seed(2)), dim=-1)
    plain = [
        sum(
            torch.nn.functional.cross_entropy((candidate[:, q] @ anchor[i, q] / 0.1)[None], torch.tensor([i]))
            for q in range(2)
        ).item()
        / 2
        for i in range(5)
    ]
    assert contrast_losses(anchor, candidate, temperature=0.1).tolist() == pytest.approx(plain, rel=1e-5)


def test_the_hard_wrong_report_says_least_of_the_same():
    one, two, three = torch.eye(4)[:3]
    said = torch.stack([torch.stack([one, two]), torch.stack([one, one]), torch.stack([three, three])])
    mask = torch.tensor([[True, True], [True, False], [True, False]])
    other, usable = least_alike_report(said, mask, torch.tensor([1, 2, 3]))
    assert other.tolist() == [2, 2, 0] and usable.all()
    _, usable = least_alike_report(said, mask, torch.tensor([1, 1, 1]))
    assert not usable.any()
