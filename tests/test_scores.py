import pytest
import torch
from monai.data import MetaTensor

from t3d.transforms.scores import FindingScoresd


def test_scores_by_hand():
    points = {"a": {"scale": 2.0, "offset": 0.0}, "b": {"scale": 1.0, "offset": -1.0}}
    item = {"pred": MetaTensor(torch.tensor([0.0, 3.0])), "case_id": "c"}
    found = FindingScoresd("pred", thresholds=points)(item)
    assert found["pred"].tolist() == pytest.approx([0.5, 1 / (1 + 2.718281828**-2)])
    assert type(found["pred"]) is torch.Tensor and found["case_id"] == "c" and item["pred"][1] == 3
