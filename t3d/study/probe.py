"""Logistic regressions on frozen features: what can be read off an encoder with so many labels."""

import warnings

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

# a channel that never changes keeps its 0 in place of a division by nothing
_LEAST_SPREAD = 1e-8


def fit_logistic(features: np.ndarray, labels: np.ndarray, *, l2: float) -> tuple[np.ndarray, np.ndarray]:
    """Logistic regressions of several findings at once: sum of the log losses + l2 / 2 * |weights|^2.

    The intercept is not held back; scikit-learn's ``LogisticRegression`` has ``C = 1 / l2``. The findings share no
    weight, so one search solves them all.

    Args:
        features: (N, C).
        labels: (N, F) 0, 1 or NaN for unknown: left out.
        l2: above 0.

    Returns:
        Weights (C, F) and intercepts (F,).
    """
    known = np.isfinite(labels)
    target = np.where(known, labels, 0.0)
    width, count = features.shape[1], labels.shape[1]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weight = flat.reshape(width + 1, count)
        logits = features @ weight[:-1] + weight[-1]
        # log(1 + exp(z)) - y z, without overflow
        value = np.where(known, np.logaddexp(0, logits) - target * logits, 0.0).sum()
        slope = np.where(known, expit(logits) - target, 0.0)
        gradient = np.concatenate([features.T @ slope + l2 * weight[:-1], slope.sum(axis=0, keepdims=True)])
        return value + l2 / 2 * float((weight[:-1] ** 2).sum()), gradient.ravel()

    start = np.zeros((width + 1, count))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found = minimize(
            loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 2000, "gtol": 1e-5, "ftol": 1e-12}
        )
    weight = found.x.reshape(width + 1, count)
    return weight[:-1], weight[-1]


def probe_scores(
    train: np.ndarray, labels: np.ndarray, test: np.ndarray, *, budget: int | None, draws: int, l2: float
) -> np.ndarray:
    """Logits of the test cases from regressions on draws of the labelled ones.

    Features are standardised by the cases of the draw. Draw d takes the same cases for every encoder.

    Args:
        train, test: features (N, C) and (M, C).
        labels: (N, F) 0, 1 or NaN.
        budget: labelled cases of a draw; None takes all.
        draws: number of draws.
        l2: see ``fit_logistic``.

    Returns:
        (draws, M, F); NaN where a draw shows one class of a finding only.
    """
    scores = np.full((draws, len(test), labels.shape[1]), np.nan)
    for draw in range(draws):
        chosen = np.random.default_rng([draw]).permutation(len(train))[: budget or len(train)]
        seen = labels[chosen]
        both = np.array([{0.0, 1.0} <= set(column.tolist()) for column in seen.T])
        if not both.any():
            continue
        centre, spread = train[chosen].mean(axis=0), np.maximum(train[chosen].std(axis=0), _LEAST_SPREAD)
        weight, intercept = fit_logistic((train[chosen] - centre) / spread, seen[:, both], l2=l2)
        scores[draw][:, both] = (test - centre) / spread @ weight + intercept
    return scores
