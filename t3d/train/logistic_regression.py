"""L2-regularised logistic regression for many findings at once, with a loss that knows of unknown labels."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]

DECAYS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
FOLDS = 5
_BIAS_DECAY = 1e-4  # keeps the bias of a finding of one class finite
_STEPS = 300


def fit_linear(features: Tensor, labels: Tensor, *, loss: Loss, decay: float) -> tuple[Tensor, Tensor]:
    """The weight (F, D) and bias (F,) that minimise ``F * loss + decay / 2 * |weight|^2``, by L-BFGS from zero.

    Args:
        features: (N, D), of a length of about 1.
        labels: (N, F) of 0, 1 and whatever the loss takes for unknown.
        loss: mean over the labels, of logits and labels (N, F).
        decay: strength of the regularisation.
    """
    count = labels.shape[1]
    weight = features.new_zeros((count, features.shape[1]), requires_grad=True)
    bias = features.new_zeros(count, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=_STEPS, tolerance_grad=1e-6, tolerance_change=1e-10, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = count * loss(features @ weight.T + bias, labels)
        value = value + decay / 2 * weight.square().sum() + _BIAS_DECAY / 2 * bias.square().sum()
        value.backward()
        return value

    optimizer.step(closure)
    return weight.detach(), bias.detach()


def choose_decay(features: Tensor, labels: Tensor, *, loss: Loss, decays: Sequence[float] = DECAYS) -> float:
    """The decay with the lowest loss on held-out cases, over ``FOLDS`` folds; the largest where cases are too few.

    Args:
        features, labels, loss: as for ``fit_linear``; the cases lie in an order of chance.
        decays: to choose from, in ascending order.
    """
    if len(features) < 2 * FOLDS:
        return decays[-1]
    fold = torch.arange(len(features), device=features.device) % FOLDS
    held_out = []
    for decay in decays:
        total = 0.0
        for number in range(FOLDS):
            rest, own = fold != number, fold == number
            weight, bias = fit_linear(features[rest], labels[rest], loss=loss, decay=decay)
            total += float(loss(features[own] @ weight.T + bias, labels[own]))
        held_out.append(total)
    return decays[min(range(len(decays)), key=held_out.__getitem__)]
