import pytest
import torch

from t3d.losses.restoration import TextInformedRestoration, restoration_error


def crops():
    clean = torch.zeros(2, 1, 1, 1, 1, 4)
    corrupted = clean.clone()
    corrupted[0, ..., :2] = 1.0  # case 0: half of its voxels; case 1: none
    restored = clean.clone()
    restored[0, ..., 0] = 0.4
    restored[0, ..., 3] = 0.2
    return restored, clean, corrupted


def test_both_parts_by_hand():
    error = restoration_error(*crops())
    assert error.whole.tolist() == pytest.approx([0.15, 0.0])
    assert error.corrupted.tolist() == pytest.approx([0.2, 0.0])


@pytest.mark.parametrize(("weight", "expected"), [(0.0, 0.075), (1.0, 0.1), (0.5, 0.0875)])
def test_loss_mixes_the_parts(weight, expected):
    assert float(TextInformedRestoration(corrupted_weight=weight)(*crops())) == pytest.approx(expected)
