import csv
import io

import numpy as np
import pytest

from t3d.evaluate.classification_metrics import Scored
from t3d.evaluate.classification_report import draw, summarise, table
from t3d.metrics.classification import auroc

NAN = float("nan")
POINTS = {"a": {"threshold": 0.5}, "b": {"threshold": 0.5}, "c": {"threshold": 0.5}}


@pytest.fixture
def seen():
    random = np.random.default_rng(1)
    labels = random.integers(0, 2, (60, 3)).astype(float)
    scores = np.clip(random.random((60, 3)) * 0.7 + 0.3 * labels, 0, 1)
    labels[:, 1] = 1
    labels[:10, 0] = NAN
    return Scored([f"c{i}" for i in range(60)], [f"p{i // 2}" for i in range(60)], scores, labels), scores


def test_numbers_counts_and_nulls(seen, caplog):
    scored, scores = seen
    found = summarise(scored, scores, POINTS)
    a, b, c = (found["findings"][name] for name in "abc")
    assert a["auroc"]["value"] == pytest.approx(auroc(scores[10:, 0], scored.labels[10:, 0]))
    low, high = a["auroc"]["interval"]
    assert low < a["auroc"]["value"] < high
    assert (a["unknown"], b["negatives"], b["positives"]) == (10, 0, 60)
    assert b["auroc"] == {"value": None, "interval": None} and b["specificity"]["value"] is None
    assert b["sensitivity"]["value"] == pytest.approx((scores[:, 1] >= 0.5).mean())
    assert "finding b: 60 positives and 0 negatives" in caplog.text
    assert found["mean"]["auroc"]["value"] == pytest.approx((a["auroc"]["value"] + c["auroc"]["value"]) / 2)
    assert found["per_case"][3]["labels"]["a"] is None and found["per_case"][3]["labels"]["b"] == 1
    assert found["per_case"][3]["scores"]["c"] == scores[3, 2]


def test_intervals_draw_patients_not_cases(seen):
    scored, scores = seen
    one_patient = Scored(scored.cases, ["p"] * 60, scored.logits, scored.labels)
    value = summarise(one_patient, scores, POINTS)["findings"]["a"]["auroc"]
    assert value["interval"] == [pytest.approx(value["value"])] * 2


def test_table_and_picture(seen):
    scored, scores = seen
    findings = summarise(scored, scores, POINTS)["findings"]
    rows = list(csv.DictReader(io.StringIO(table(findings))))
    assert [row["finding"] for row in rows] == ["a", "b", "c"]
    assert float(rows[0]["auroc_low"]) == pytest.approx(findings["a"]["auroc"]["interval"][0], abs=1e-6)
    assert rows[1]["auroc"] == rows[1]["auroc_low"] == "" and rows[1]["positives"] == "60"
    figure = draw(scores, scored.labels, findings)
    labels = [line.get_label() for line in figure.axes[0].lines if not line.get_label().startswith("_")]
    assert [label.split()[0] for label in labels] == ["a", "c"], "only findings with a curve are drawn"


def test_no_two_curves_look_alike():
    names = [f"finding_{number}" for number in range(24)]
    scores, labels = np.random.default_rng(0).random((12, 24)), np.tile([[0.0], [1.0]], (6, 24))
    known = dict.fromkeys(("auroc", "specificity", "sensitivity"), {"value": 0.5, "interval": None})
    figure = draw(scores, labels, dict.fromkeys(names, known))
    curves = figure.axes[0].lines[1:]
    assert len({(line.get_color(), line.get_linestyle()) for line in curves}) == len(curves) == 24
    dots = figure.axes[0].collections
    assert [tuple(dot.get_facecolor()[0][:3]) for dot in dots] == [tuple(line.get_color()) for line in curves]


def test_no_case_at_all_gives_nulls():
    nothing = Scored([], [], np.zeros((0, 3)), np.zeros((0, 3)))
    found = summarise(nothing, np.zeros((0, 3)), POINTS)
    assert found["cases"] == 0 and found["mean"]["auroc"]["value"] is None
    draw(np.zeros((0, 3)), np.zeros((0, 3)), found["findings"])
