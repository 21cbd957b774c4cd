import csv
import json

import pytest
import torch
from ignite.engine import Engine

from t3d.errors import T3DError
from t3d.infer.predictions import SavePredictions, refuse_existing

THRESHOLDS = {"a": {"threshold": 0.5}, "b": {"threshold": 0.25}}


def saved(folder, scores, **options):
    engine = Engine(lambda engine, batch: [{"pred": torch.tensor(batch[0]["scores"])}])
    SavePredictions(output_dir=str(folder), findings=["a", "b"], thresholds=THRESHOLDS, **options).attach(engine)
    engine.state.failed_cases = [{"case_id": "z", "error": "case z: broken"}]
    engine.run([[{"case_id": f"c{i}", "scores": row}] for i, row in enumerate(scores)])


def test_scores_and_decisions_of_every_case(tmp_path):
    saved(tmp_path, [[0.5, 0.125], [0.25, 0.75]])
    content = json.loads((tmp_path / "predictions.json").read_text())
    assert content == {
        "findings": ["a", "b"],
        "thresholds": {"a": 0.5, "b": 0.25},
        "cases": [
            {"case_id": "c0", "scores": {"a": 0.5, "b": 0.125}, "positive": {"a": 1, "b": 0}},
            {"case_id": "c1", "scores": {"a": 0.25, "b": 0.75}, "positive": {"a": 0, "b": 1}},
        ],
        "failed": [{"case_id": "z", "error": "case z: broken"}],
    }
    rows = list(csv.DictReader((tmp_path / "predictions.csv").open()))
    assert rows[1] == {"case_id": "c1", "a": "0.250000", "b": "0.750000", "a_positive": "0", "b_positive": "1"}


def test_earlier_results_stay_unless_asked(tmp_path):
    saved(tmp_path, [[0.5, 0.125]])
    before = (tmp_path / "predictions.json").read_bytes()
    with pytest.raises(T3DError, match="overwrite True"):
        saved(tmp_path, [[0.1, 0.1]])
    assert (tmp_path / "predictions.json").read_bytes() == before
    saved(tmp_path, [[0.1, 0.1]], overwrite=True)
    assert (tmp_path / "predictions.json").read_bytes() != before


def test_refuse_existing(tmp_path):
    refuse_existing(str(tmp_path / "no.json"), overwrite=False)
    refuse_existing(tmp_path, overwrite=True)
    with pytest.raises(T3DError, match="already there"):
        refuse_existing(tmp_path, overwrite=False)
