import math

import pytest
import torch

from t3d.errors import T3DError
from t3d.losses.masked_bce import MaskedBCE

NAN = float("nan")


def test_golden_value_by_hand():
    logits = torch.tensor([[0.0, 2.0], [-1.0, 3.0]])
    labels = torch.tensor([[1.0, NAN], [0.0, 1.0]])

    def log_sigmoid(x):
        return -math.log(1 + math.exp(-x))

    expected = -(4 * log_sigmoid(0.0) + log_sigmoid(1.0) + 0.5 * log_sigmoid(3.0)) / 3
    assert float(MaskedBCE([4.0, 0.5])(logits, labels)) == pytest.approx(expected, abs=1e-6)


def test_unknown_labels_have_no_gradient():
    logits = torch.zeros(2, 2, requires_grad=True)
    MaskedBCE()(logits, torch.tensor([[1.0, NAN], [NAN, 0.0]])).backward()
    assert logits.grad.tolist() == [[-0.25, 0.0], [0.0, 0.25]]


def test_a_batch_without_labels_is_zero_and_finite():
    logits = torch.randn(2, 3, requires_grad=True)
    loss = MaskedBCE()(logits, torch.full((2, 3), NAN))
    loss.backward()
    assert loss.item() == 0 and logits.grad.abs().sum() == 0


def test_other_shapes_are_named():
    with pytest.raises(T3DError, match="same findings"):
        MaskedBCE()(torch.zeros(2, 3), torch.zeros(2, 2))
