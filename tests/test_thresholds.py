import hashlib
import json
from types import SimpleNamespace

import numpy as np
import pytest

from t3d.errors import T3DError
from t3d.evaluate.classification_metrics import Scored
from t3d.evaluate.thresholds import (
    StoreThresholds,
    calibrated,
    choose_threshold,
    fit_scaling,
    operating_points,
    read_thresholds,
)
from t3d.metrics.classification import auroc, calibration_error, sensitivity, specificity

NAN = float("nan")


def test_threshold_by_hand():
    # J: at .9 1/3, at .7 2/3 - 0 = 2/3, at .6 2/3 - 1/2, at .4 1 - 1/2, at .1 0
    scores, labels = [0.9, 0.7, 0.6, 0.4, 0.1, 0.3], [1, 1, 0, 1, 0, NAN]
    assert choose_threshold(scores, labels) == pytest.approx((0.7 + 0.6) / 2)
    assert choose_threshold([0.2, 0.8], [0, 1]) == pytest.approx(0.5)


@pytest.mark.parametrize("seed", range(4))
def test_no_other_threshold_is_better(seed):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, 40)
    scores = np.round(np.clip(random.normal(0.4 + 0.2 * labels, 0.2), 0, 1), 2)
    chosen = choose_threshold(scores, labels)

    def youden(threshold):
        return sensitivity(scores, labels, threshold) + specificity(scores, labels, threshold) - 1

    assert youden(chosen) == pytest.approx(max(youden(t) for t in np.linspace(0, 1, 401)))


def test_scaling_finds_the_truth_and_keeps_the_order():
    random = np.random.default_rng(0)
    raw = random.normal(0, 2, 4000)
    labels = (random.random(4000) < 1 / (1 + np.exp(-(0.5 * raw - 1)))).astype(float)
    scale, offset = fit_scaling(raw, labels)
    assert scale == pytest.approx(0.5, abs=0.05) and offset == pytest.approx(-1, abs=0.1)
    after = calibrated(raw[:, None], {"a": {"scale": scale, "offset": offset}})[:, 0]
    before = 1 / (1 + np.exp(-raw))
    assert calibration_error(after, labels) < 0.03 < calibration_error(before, labels)
    assert auroc(after, labels) == pytest.approx(auroc(before, labels))


def test_two_cases_make_no_certainty_and_a_wrong_order_stays():
    scale, _ = fit_scaling(np.array([-0.01, 0.01]), np.array([0.0, 1.0]))
    assert 0.3 < scale < 3
    scale, _ = fit_scaling(np.linspace(-3, 3, 40), np.repeat([1.0, 0.0], 20))
    assert scale > 0


def test_one_class_is_left_at_one_half(caplog):
    points = operating_points(np.array([[1.0, 2.0], [0.0, -1.0]]), np.array([[1, 1], [NAN, 0]]), ["a", "b"])
    assert points["a"]["threshold"] == 0.5 and (points["a"]["scale"], points["a"]["offset"]) == (1.0, 0.0)
    assert "finding a: one class only" in caplog.text and "Youden" in points["b"]["method"]


def stored(tmp_path):
    weights = tmp_path / "model.pt"
    weights.write_bytes(b"weights")
    handler = StoreThresholds(weights=str(weights), findings=["a"])
    handler.seen.scored = Scored(["c0", "c1"], ["p0", "p1"], np.array([[3.0], [-3.0]]), np.array([[1.0], [0.0]]))
    handler.write(SimpleNamespace())
    return weights


def test_the_file_says_what_it_was_chosen_for_and_is_read_back(tmp_path):
    weights = stored(tmp_path)
    content = json.loads((tmp_path / "thresholds.json").read_text())
    assert content["model_sha256"] == hashlib.sha256(b"weights").hexdigest() and content["cases"] == 2
    assert read_thresholds(weights=str(weights), findings=["a"]) == content["findings"]


def test_absent_foreign_damaged_or_incomplete_files(tmp_path, caplog):
    weights = stored(tmp_path)
    with pytest.raises(T3DError, match="no threshold of b"):
        read_thresholds(weights=str(weights), findings=["a", "b"])
    weights.write_bytes(b"others")
    assert read_thresholds(weights=str(weights), findings=["a"])["a"]["threshold"] == 0.5
    assert "chosen for other weights" in caplog.text
    (tmp_path / "thresholds.json").write_text("{}")
    with pytest.raises(T3DError, match="is no record of thresholds: .*run the training command again"):
        read_thresholds(weights=str(weights), findings=["a"])
    (tmp_path / "thresholds.json").unlink()
    assert read_thresholds(weights=str(weights), findings=["a"])["a"] == {"scale": 1, "offset": 0, "threshold": 0.5}
    assert "all thresholds are 0.5" in caplog.text
