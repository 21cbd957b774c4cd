"""L2-regularised logistic regression for many findings at once, with a loss that knows of unknown labels."""

from collections.abc import Callable

import torch
from torch import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]

_BIAS_DECAY = 1e-4  # keeps the bias of a finding of one class finite
_STEPS = 200


def fit_linear(features: Tensor, labels: Tensor, *, loss: Loss, decay: float) -> tuple[Tensor, Tensor]:
    """The weight (F, D) and bias (F,) that minimise ``F * loss + decay / 2 * |weight|^2``, by L-BFGS from zero.

    Args:
        features: (N, D), of a length of about 1.
        labels: (N, F) of 0, 1 and whatever the loss takes for unknown.
        loss: mean over the labels, of logits and labels (N, F).
        decay: strength of the regularisation.
    """
    if len(features) < features.shape[1]:  # the best weight lies in the span of the cases
        axes, coordinates = torch.linalg.qr(features.T)
        weight, bias = fit_linear(coordinates.T.contiguous(), labels, loss=loss, decay=decay)
        return weight @ axes.T, bias
    count = labels.shape[1]
    weight = features.new_zeros((count, features.shape[1]), requires_grad=True)
    bias = features.new_zeros(count, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=_STEPS, tolerance_grad=1e-5, tolerance_change=1e-9, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = count * loss(features @ weight.T + bias, labels)
        value = value + decay / 2 * weight.square().sum() + _BIAS_DECAY / 2 * bias.square().sum()
        value.backward()
        return value

    optimizer.step(closure)
    return weight.detach(), bias.detach()
