import math

import pytest
import torch
import torch.nn.functional as F

from t3d.losses.alignment import GlobalAlignment


def test_equals_clip_when_all_reports_differ():
    generator = torch.Generator().manual_seed(0)
    volume = F.normalize(torch.randn(5, 7, generator=generator, dtype=torch.float64), dim=1)
    report = F.normalize(torch.randn(5, 7, generator=generator, dtype=torch.float64), dim=1)
    logits = volume @ report.T / 0.2
    target = torch.arange(5)
    clip = 0.5 * (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target))
    loss = GlobalAlignment(temperature=0.2)
    assert torch.allclose(loss(volume, report), clip, rtol=1e-12)
    assert torch.allclose(loss(volume, report, torch.tensor([4, 9, 1, 0, 7])), clip, rtol=1e-12)


def test_equal_reports_are_right_answers_for_each_other():
    volume = torch.eye(3, dtype=torch.float64)
    report = torch.tensor([[1.0, 0, 0], [1.0, 0, 0], [0, 0, 1.0]], dtype=torch.float64)
    ids = torch.tensor([5, 5, 8])
    total = 0.0
    for one, other in ((volume, report), (report, volume)):
        for i in range(3):
            scores = [math.exp(float(one[i] @ other[j])) for j in range(3)]
            right = [j for j in range(3) if ids[j] == ids[i]]
            total += sum(-math.log(scores[j] / sum(scores)) for j in right) / len(right) / 6
    assert float(GlobalAlignment(temperature=1.0)(volume, report, ids)) == pytest.approx(total, rel=1e-12)


def test_other_studies_of_the_patient_are_left_out_unless_their_reports_are_equal():
    generator = torch.Generator().manual_seed(1)
    volume, report = (
        F.normalize(torch.randn(5, 7, generator=generator, dtype=torch.float64), dim=1) for _ in range(2)
    )
    report_id, patient = torch.tensor([5, 5, 8, 6, 9]), torch.tensor([1, 1, 1, 2, 2])
    total = 0.0
    for one, other in ((volume, report), (report, volume)):
        for i in range(5):
            right = [j for j in range(5) if report_id[j] == report_id[i]]
            seen = [j for j in range(5) if j in right or patient[j] != patient[i]]
            scores = {j: math.exp(float(one[i] @ other[j]) / 0.5) for j in seen}
            total += sum(-math.log(scores[j] / sum(scores.values())) for j in right) / len(right) / 10
    loss = GlobalAlignment(temperature=0.5)
    assert float(loss(volume, report, report_id, patient)) == pytest.approx(total, rel=1e-12)
    assert float(loss(volume, report, report_id)) > total + 0.01
    assert torch.equal(loss(volume, report, report_id, torch.arange(5)), loss(volume, report, report_id))
