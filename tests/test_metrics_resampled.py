"""Resampled rankings against plain loops, and against the metrics of the evaluations."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from t3d.metrics.classification import auprc, auroc
from t3d.metrics.resampled import patient_weights, skill, weighted_mean, weighted_ranking


@pytest.fixture
def drawn():
    random = np.random.default_rng(0)
    labels = (random.uniform(size=90) < 0.25).astype(float)
    scores = (random.normal(size=(3, 90)) + labels).round(1)  # rounded: ties
    patients = np.array([f"p{number // 2}" for number in range(90)])
    return scores, labels, patients


def test_row_0_is_the_plain_metric(drawn):
    scores, labels, patients = drawn
    labels[5] = np.nan
    area, precision, prevalence = weighted_ranking(scores, labels, patient_weights(patients, resamples=0))
    assert area[0] == pytest.approx(np.mean([auroc(draw, labels) for draw in scores]), abs=1e-6)
    assert precision[0] == pytest.approx(np.mean([auprc(draw, labels) for draw in scores]), abs=1e-6)
    assert prevalence[0] == pytest.approx(np.nanmean(labels))


def test_every_resample_is_that_of_a_plain_bootstrap(drawn):
    scores, labels, patients = drawn
    weights = patient_weights(patients, resamples=40, seed=3)
    area, precision, _ = weighted_ranking(scores, labels, weights)
    names = np.unique(patients)
    picks = np.random.default_rng(3).integers(0, len(names), (40, len(names)))
    for row, picked in enumerate(picks, 1):
        rows = np.concatenate([np.flatnonzero(patients == names[place]) for place in picked])
        plain = [roc_auc_score(labels[rows], draw[rows]) for draw in scores]
        assert area[row] == pytest.approx(np.mean(plain), abs=1e-6)
        plain = [average_precision_score(labels[rows], draw[rows]) for draw in scores]
        assert precision[row] == pytest.approx(np.mean(plain), abs=1e-6)


def test_what_is_undefined_is_nan(drawn):
    scores, labels, patients = drawn
    weights = patient_weights(patients, resamples=2)
    assert all(np.isnan(part).all() for part in weighted_ranking(scores, np.ones(90), weights))
    assert all(np.isnan(part).all() for part in weighted_ranking(scores * np.nan, labels, weights))
    one = np.where(np.arange(90) == 7, 1.0, 0.0)
    weights[1, 7] = 0
    area, precision, prevalence = weighted_ranking(scores, one, weights)
    assert np.isnan([area[1], precision[1], prevalence[1]]).all() and np.isfinite(area[0])
    scores[0, 3] = np.nan
    area, _, _ = weighted_ranking(scores, labels, weights)
    assert area[0] == pytest.approx(np.mean([auroc(draw, labels) for draw in scores[1:]]), abs=1e-6)


def test_skill_and_means():
    assert skill(np.array([0.2, 1.0, 0.6]), np.array([0.2, 0.2, 0.2])) == pytest.approx([0, 1, 0.5])
    values = np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, 4.0]])
    weights = np.array([[1, 1, 1], [2, 1, 0]], dtype=np.float32)
    assert weighted_mean(values, weights)[0] == pytest.approx([2, 4])
    assert weighted_mean(values, weights)[1, 0] == pytest.approx(5 / 3) and np.isnan(
        weighted_mean(values, weights)[1, 1]
    )
