import numpy as np
import pytest
from sklearn import metrics as reference

from t3d.metrics.classification import (
    auprc,
    auroc,
    calibration_error,
    f1,
    roc_curve,
    sensitivity,
    specificity,
)

NAN = float("nan")


@pytest.mark.parametrize("seed", range(5))
def test_areas_are_those_of_scikit_learn_also_with_ties(seed):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, 60).astype(float)
    scores = np.round(random.random(60) + 0.3 * labels, 1)  # one decimal: many ties
    assert auroc(scores, labels) == pytest.approx(reference.roc_auc_score(labels, scores), abs=1e-12)
    assert auprc(scores, labels) == pytest.approx(reference.average_precision_score(labels, scores), abs=1e-12)
    rates = roc_curve(scores, labels)
    expected = reference.roc_curve(labels, scores, drop_intermediate=False)
    for ours, theirs in zip(rates, expected, strict=True):
        assert np.allclose(ours, theirs)


def test_golden_values_by_hand():
    scores, labels = [0.9, 0.8, 0.8, 0.1], [1, 1, 0, 0]
    # pairs: (.9, .8) (.9, .1) (.8, .1) won, (.8, .8) a tie
    assert auroc(scores, labels) == 3.5 / 4
    # recall .5 at precision 1, then both 0.8 together: recall 1 at precision 2/3
    assert auprc(scores, labels) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert sensitivity(scores, labels, 0.85) == 0.5 and specificity(scores, labels, 0.85) == 1.0
    assert f1(scores, labels, 0.8) == pytest.approx(2 * 2 / (3 + 2))


def test_a_score_at_the_threshold_is_positive():
    assert sensitivity([0.5], [1], 0.5) == 1.0
    assert specificity([0.5], [0], 0.5) == 0.0


def test_unknown_labels_change_nothing():
    scores, labels = [0.9, 0.2, 0.4, 0.7], [1, 0, 0, 1]
    more_scores, more_labels = [0.1, *scores, 1.0], [NAN, *labels, NAN]
    for metric in (auroc, auprc, calibration_error):
        assert metric(more_scores, more_labels) == metric(scores, labels)
    for metric in (f1, sensitivity, specificity):
        assert metric(more_scores, more_labels, 0.3) == metric(scores, labels, 0.3)


@pytest.mark.parametrize("labels", [[1, 1, NAN], [0, 0, NAN], [NAN, NAN, NAN]])
def test_one_class_alone_has_no_area(labels):
    scores = [0.2, 0.4, 0.9]
    assert np.isnan(auroc(scores, labels)) and np.isnan(auprc(scores, labels))
    assert all(len(part) == 0 for part in roc_curve(scores, labels))


def test_missing_classes_of_threshold_metrics():
    assert np.isnan(sensitivity([0.2], [0], 0.5)) and np.isnan(f1([0.2], [0], 0.5))
    assert np.isnan(specificity([0.2], [1], 0.5))
    assert f1([0.2], [1], 0.5) == 0.0


def test_calibration_error_by_hand():
    # bin 0.1-0.2: mean score .15, no positive -> .15 (2 cases); bin 0.9-1: mean .95, half positive -> .45 (2 cases)
    assert calibration_error([0.1, 0.2 - 1e-9, 0.9, 1.0], [0, 0, 1, 0]) == pytest.approx(0.3)
    assert calibration_error([0.0, 1.0], [0, 1]) == 0.0
