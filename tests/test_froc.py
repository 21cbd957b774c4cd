"""Scores of single lesions and the curve over all thresholds."""

import numpy as np
import pytest
from monai.metrics import compute_froc_curve_data

from t3d.metrics.froc import RATES, flat, sensitivity_at, summarise_froc
from t3d.metrics.lesion_candidates import lesion_candidates
from t3d.metrics.scored_lesions import score_lesions


def volume(**boxes):
    """(20, 12, 12) of zeros but for boxes: name -> (first, last, value) along x."""
    made = np.zeros((20, 12, 12), np.float32)
    for first, last, value in boxes.values():
        made[first:last, 3:6, 3:6] = value
    return made


def test_candidates_are_peaks_with_what_reaches_a_share_of_them():
    probability = volume(sure=(0, 3, 0.9), rim=(3, 5, 0.3), unsure=(8, 10, 0.2), nothing=(15, 18, 0.09))
    first, second = lesion_candidates(probability)
    # .3 lies below .4 of .9: its rim, no candidate
    assert (first.score, len(first.voxels)) == (pytest.approx(0.9), 27)
    assert (second.score, second.voxels[:, 0].tolist()) == (pytest.approx(0.2), [8] * 9 + [9] * 9)
    assert len(lesion_candidates(probability, most=1)) == 1
    assert not lesion_candidates(np.zeros((4, 4, 4)))


def test_two_peaks_in_one_region_are_two_candidates():
    found = lesion_candidates(volume(a=(0, 3, 0.9), bridge=(3, 8, 0.2), b=(8, 11, 0.8)))
    assert [round(one.score, 3) for one in found] == [0.9, 0.8]


def test_a_lesion_has_the_score_of_what_overlaps_it_enough():
    label = volume(found=(0, 3, 1), missed=(8, 10, 1), hardly=(14, 15, 1)) > 0
    probability = volume(a=(1, 4, 0.7), wrong=(11, 13, 0.5), large=(14, 20, 0.4))
    result = score_lesions(probability, label, (1.0, 2.0, 0.5), min_iou=0.2)
    assert result["lesions"] == [
        {"mm3": 27.0, "score": pytest.approx(0.7)},
        {"mm3": 18.0, "score": 0.0},
        {"mm3": 9.0, "score": 0.0},  # 9 of 54 voxels: below .2
    ]
    assert result["false_positives"] == pytest.approx([0.5, 0.4])
    lenient = score_lesions(probability, label, (1.0, 2.0, 0.5), min_iou=0.1, min_mm3=10)
    assert [one["mm3"] for one in lenient["lesions"]] == [27.0, 18.0]
    assert lenient["false_positives"] == pytest.approx([0.5])  # what finds a lesion too small to count is not false


def cases(seed, count=30):
    random = np.random.default_rng(seed)

    def scores(most):
        return random.integers(1, 12, random.integers(0, most)) / 12  # coarse, so that there are ties

    return [
        {
            "patient_id": f"p{number // 2}",
            "scored_lesions": {
                "tumour": {
                    "lesions": [{"mm3": 1.0, "score": s * random.integers(0, 2)} for s in scores(4)],
                    "false_positives": scores(9).tolist(),
                }
            },
        }
        for number in range(count)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_the_curve_is_that_of_monai(seed):
    scored = flat([case["scored_lesions"]["tumour"] for case in cases(seed)])
    found = scored.lesion_score[scored.lesion_score > 0]
    rates, sensitivity = compute_froc_curve_data(scored.false_score, found, len(scored.lesion_score), 30)
    plain = [max(s for r, s in zip(rates, sensitivity, strict=True) if r <= rate) for rate in RATES]
    assert sensitivity_at(scored, np.ones((1, 30)))[0] == pytest.approx(plain)


def test_weights_count_cases_as_often_as_they_say():
    whole = [case["scored_lesions"]["tumour"] for case in cases(4, count=6)]
    weights = np.array([[1, 1, 1, 1, 1, 1], [2, 0, 3, 0, 0, 1.0]])
    repeated = [case for case, times in zip(whole, weights[1], strict=True) for _ in range(int(times))]
    found = sensitivity_at(flat(whole), weights)
    assert found[1] == pytest.approx(sensitivity_at(flat(repeated), np.ones((1, 6)))[0])
    assert np.isnan(sensitivity_at(flat([{"lesions": [], "false_positives": [0.5]}]), np.ones((1, 1)))).all()


def test_summary_with_intervals_over_patients():
    measured = cases(5)
    found = summarise_froc(measured, ["tumour", "unknown"], resamples=50)
    assert list(found) == ["tumour"] and list(found["tumour"]) == ["0.25", "0.5", "1", "2", "4", "mean"]
    values = [found["tumour"][f"{rate:g}"]["value"] for rate in RATES]
    assert found["tumour"]["mean"]["value"] == pytest.approx(np.mean(values)) and values == sorted(values)
    low, high = found["tumour"]["1"]["interval"]
    assert low < found["tumour"]["1"]["value"] < high
