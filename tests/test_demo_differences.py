"""Differences of a demonstration: equal to plain ones, paired, only on cases that both have."""

import numpy as np
import pytest

from t3d.demo.differences import difference
from t3d.demo.page import _differences
from t3d.metrics.classification import auroc


def classified(scores, labels, cases):
    rows = zip(cases, scores.tolist(), labels.tolist(), strict=True)
    return {
        "findings": {},
        "per_case": [
            {"case_id": c, "patient_id": c, "scores": dict(enumerate(s)), "labels": dict(enumerate(y))}
            for c, s, y in rows
        ],
    }


def segmented(dice):
    return {
        "classes": {},
        "per_case": [
            {"case_id": c, "patient_id": c, "classes": {k: {"dice": v} for k, v in enumerate(row)}}
            for c, row in enumerate(dice)
        ],
    }


def test_aurocs_of_the_same_cases():
    rng = np.random.default_rng(0)
    labels = (rng.uniform(size=(60, 2)) < 0.5).astype(int)
    good, poor = labels + rng.normal(size=(60, 2)), rng.normal(size=(60, 2))
    cases = np.arange(60)
    found = difference(classified(good, labels, cases), classified(poor[:40], labels[:40], cases[:40]))
    plain = [auroc(good[:40, k], labels[:40, k]) - auroc(poor[:40, k], labels[:40, k]) for k in range(2)]
    assert found.value == pytest.approx(np.mean(plain))
    assert found.interval[0] < found.value < found.interval[1] and found.verdict == "it is above"
    same = difference(classified(good, labels, cases), classified(good, labels, cases))
    assert same.value == 0 and same.interval == [0, 0] and same.verdict == "no difference is shown"


def test_paired_dice_is_surer_than_its_parts():
    rng = np.random.default_rng(1)
    hard = rng.uniform(0.2, 0.9, size=(30, 3))
    found = difference(segmented((hard + 0.02).tolist()), segmented(hard.tolist()))
    assert found.value == pytest.approx(0.02) and found.interval == pytest.approx([0.02, 0.02])
    absent = hard.tolist()
    absent[0][1] = None
    assert difference(segmented(absent), segmented(absent)).value == 0


def test_sentences_say_what_the_interval_allows():
    hard = np.random.default_rng(1).uniform(0.2, 0.9, size=(30, 3))
    runs = {"T3D": segmented((hard + 0.02).tolist()), "twin": segmented(hard.tolist()), "none": {"classes": {}}}
    said = _differences("segmentation", runs).items
    assert said[0] == "T3D less twin, the same cases of segmentation: 0.020 (0.020 to 0.020): it is above."
    assert said[1] == "T3D less none: not known, no held-out case has both."
    back = _differences("segmentation", {"T3D": runs["twin"], "twin": runs["T3D"]}).items
    assert back[0].endswith("-0.020 (-0.020 to -0.020): it is below.")
