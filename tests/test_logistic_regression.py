import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from t3d.losses.masked_bce import MaskedBCE
from t3d.train.logistic_regression import fit_linear


def cases(count=60, width=20, seed=0):
    random = np.random.default_rng(seed)
    features = random.normal(size=(count, width)) / width**0.5
    truth = random.normal(size=(width, 2)) * 4
    labels = (random.random((count, 2)) < 1 / (1 + np.exp(-features @ truth))).astype(float)
    return torch.tensor(features), torch.tensor(labels)


def plainly(features, labels, *, decay):
    """One finding, its known cases, by scipy."""
    known = np.isfinite(labels)
    x, y = features[known], labels[known]

    def value(parameters):
        logits = x @ parameters[:-1] + parameters[-1]
        return np.mean(np.logaddexp(0, logits) - y * logits) + decay / 2 * parameters[:-1] @ parameters[:-1]

    return minimize(value, np.zeros(x.shape[1] + 1), method="BFGS", options={"gtol": 1e-7}).x


@pytest.mark.parametrize("width", [20, 90])
def test_the_fit_is_that_of_a_plain_logistic_regression(width):
    features, labels = cases(width=width)
    weight, bias = fit_linear(features, labels, loss=MaskedBCE(), decay=0.01)
    for finding in range(2):
        expected = plainly(features.numpy(), labels[:, finding].numpy(), decay=0.01)
        assert np.allclose(weight[finding], expected[:-1], atol=5e-3)
        assert np.allclose(bias[finding], expected[-1], atol=5e-3)


def test_unknown_labels_do_not_speak():
    features, labels = cases()
    labels[::3] = float("nan")
    weight, _ = fit_linear(features, labels, loss=MaskedBCE(), decay=0.01)
    expected = plainly(features.numpy(), labels[:, 0].numpy(), decay=0.01)
    assert np.allclose(weight[0], expected[:-1], atol=5e-3)


def test_a_finding_of_one_class_stays_finite():
    features, labels = cases()
    labels[:, 1] = 0
    weight, bias = fit_linear(features, labels, loss=MaskedBCE(), decay=0.01)
    assert torch.isfinite(weight).all() and -20 < bias[1] < 0
