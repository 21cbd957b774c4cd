"""Mean, maximum and minimum over all tokens of a volume, and a linear layer that reads them."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from t3d.networks.global_batch_norm import batch_moments

_LEAST_ROWS, _MOMENTUM, _EPS = 4, 0.1, 1e-5


def pool_tokens(maps: Sequence[Tensor]) -> Tensor:
    """Mean, maximum and minimum over the tokens of each map, (N, 3 C): means of all maps, maxima, minima.

    Args:
        maps: (N, C1, X, Y, Z), (N, C2, ..) ..; C is C1 + C2 + ..
    """
    tokens = [one.float().flatten(2) for one in maps]
    means, highest, lowest = ([of(one, dim=2) for one in tokens] for of in (torch.mean, torch.amax, torch.amin))
    return torch.cat([*means, *highest, *lowest], dim=1)


def pool_windows(features: Tensor, mask: Tensor) -> Tensor:
    """Of windows (B, W, 3 C) pooled by ``pool_tokens`` what pooling all their tokens at once gives, (B, 3 C).

    Windows have equally many tokens, so the mean of their means is the mean of all.

    Args:
        features: (B, W, 3 C).
        mask: (B, W) bool, True for windows that count; at least one a volume.
    """
    counted = mask.unsqueeze(-1)
    mean, highest, lowest = features.chunk(3, dim=-1)
    return torch.cat(
        [
            torch.where(counted, mean, 0.0).sum(dim=1) / counted.sum(dim=1),
            highest.masked_fill(~counted, -math.inf).amax(dim=1),
            lowest.masked_fill(~counted, math.inf).amin(dim=1),
        ],
        dim=-1,
    )


class TokenHead(nn.Module):
    """Standardised features and one linear logit for each finding.

    A feature is standardised by its mean and its deviation over cases; then all are divided by the root of their
    number, so that a volume's features have a length of about 1. The linear layer starts at zero: the features of the
    encoder speak, not a random mixture of them.

    Mean and deviation are those that ``measure`` took of the training cases once. With ``by_batch`` they are in
    training those of the global batch, as batch norm has it, and in evaluation those seen of late: pooled tokens of
    all cases are nearly alike, and as an encoder that is trained from scratch moves, what differs between them has to
    be made large again (measured: docs/few_labels.md). Batches of fewer than 4 cases are standardised as in
    evaluation. A trained model is the same with either.

    Args:
        width: D, features of a volume.
        findings: F.
        dropout: of the standardised features in training.
    """

    mean: Tensor
    deviation: Tensor
    cases: Tensor

    def __init__(self, width: int, findings: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.by_batch = False
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("deviation", torch.ones(width))
        self.register_buffer("cases", torch.zeros(()))  # that both were measured on; 0 as long as they were not
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, findings)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def standardised(self, pooled: Tensor) -> Tensor:
        """Features (B, D) of a length of about 1, by what was measured or seen of late."""
        return self._scaled(pooled, self.mean, self.deviation)

    def measure(self, pooled: Tensor) -> None:
        """Take mean and deviation of features (N, D); one that never varies keeps its scale."""
        spread = pooled.std(dim=0, unbiased=False)
        self.mean.copy_(pooled.mean(dim=0))
        self.deviation.copy_(torch.where(spread > 1e-6, spread, 1.0))
        self.cases.fill_(len(pooled))

    def forward(self, pooled: Tensor) -> Tensor:
        """Logits (B, F) from features (B, D)."""
        found = batch_moments(pooled, least=_LEAST_ROWS) if self.by_batch and self.training else None
        if found is None:
            return self.linear(self.dropout(self.standardised(pooled)))
        mean, variance, rows = found
        deviation = (variance + _EPS).sqrt()
        self._remember(mean.detach(), variance.detach() * rows / (rows - 1))
        return self.linear(self.dropout(self._scaled(pooled, mean, deviation)))

    def _scaled(self, pooled: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
        return (pooled - mean) / (deviation * math.sqrt(mean.numel()))

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        self.mean.lerp_(mean, _MOMENTUM)
        self.deviation.copy_(self.deviation.square().lerp(variance + _EPS, _MOMENTUM).sqrt())
