import math

import numpy as np
import pytest
import torch
from ignite.engine import Engine

from t3d.evaluate.classification_metrics import ClassificationMetrics, mean_known

NAN = float("nan")


def evaluated(logits, labels, findings, cases=None):
    """Run the handler over batches of one case."""
    cases = cases or [f"c{i}" for i in range(len(logits))]
    batches = [
        {"case_id": [case], "patient_id": [f"p{case}"], "pred": torch.tensor([lo]), "label": torch.tensor([la])}
        for case, lo, la in zip(cases, logits, labels, strict=True)
    ]
    engine = Engine(lambda engine, batch: {"pred": batch["pred"], "label": batch["label"]})
    handler = ClassificationMetrics(findings=findings)
    handler.attach(engine)
    engine.run(batches)
    return engine, batches, handler


def test_gauges_by_hand():
    logits = [[2.0, 0.0], [-1.0, 1.0], [0.5, -1.0]]
    labels = [[1.0, 1.0], [0.0, 0.0], [NAN, 0.0]]
    engine, _, _ = evaluated(logits, labels, ["a", "b"])
    metrics = engine.state.metrics
    assert metrics["val_auroc_a"] == 1.0 and metrics["val_auroc_b"] == 0.5
    assert metrics["val_mean_auroc"] == metrics["val_gauge"] == 0.75
    terms = [math.log1p(math.exp(-x if y else x)) for x, y in ((2, 1), (-1, 0), (0, 1), (1, 0), (-1, 0))]
    assert metrics["val_loss"] == pytest.approx(sum(terms) / 5, abs=1e-6)


def test_one_class_is_left_out_and_said(caplog):
    engine, batches, _ = evaluated([[2.0, 0.0], [-1.0, 1.0]], [[1.0, 1.0], [0.0, NAN]], ["a", "b"])
    assert engine.state.metrics["val_mean_auroc"] == 1.0 and "val_auroc_b" not in engine.state.metrics
    assert "no AUROC for b" in caplog.text
    engine.run(batches)
    assert caplog.text.count("no AUROC") == 1


def test_without_any_auroc_the_loss_is_the_gauge():
    engine, _, _ = evaluated([[2.0], [1.0]], [[1.0], [1.0]], ["a"])
    assert engine.state.metrics["val_gauge"] == -engine.state.metrics["val_loss"]
    assert "val_mean_auroc" not in engine.state.metrics


def test_what_was_seen_is_kept_and_counts_once():
    engine, batches, handler = evaluated([[2.0], [1.0], [1.0]], [[1.0], [0.0], [0.0]], ["a"], cases=["x", "y", "y"])
    scored = handler.scored
    assert scored.cases == ["x", "y"] and scored.patients == ["px", "py"]
    assert scored.logits.tolist() == [[2.0], [1.0]] and scored.labels.tolist() == [[1.0], [0.0]]
    engine.run(batches[:1])
    assert handler.scored.cases == ["x"], "an earlier pass was not forgotten"


def test_nothing_seen_is_no_crash():
    handler = ClassificationMetrics(findings=["a", "b"])
    engine = Engine(lambda engine, batch: None)
    engine.state.metrics = {}
    handler.compute(engine)
    assert handler.scored.logits.shape == (0, 2)


def test_mean_of_what_is_known():
    assert mean_known([1.0, NAN, 0.0]) == 0.5 and np.isnan(mean_known([NAN])) and np.isnan(mean_known([]))
