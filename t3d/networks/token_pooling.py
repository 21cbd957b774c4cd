"""Mean, maximum and minimum over all tokens of a volume, and a linear layer that reads them."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


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

    A feature is standardised by its mean and its deviation over the training cases, which ``t3d.train.fit_head``
    measures once; then all are divided by the root of their number, so that a volume's features have a length of
    about 1 and a learning rate means the same at every width. The linear layer starts at zero: the features of the
    encoder speak, not a random mixture of them.

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
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("deviation", torch.ones(width))
        self.register_buffer("cases", torch.zeros(()))  # that both were measured on; 0 as long as they were not
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, findings)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def standardised(self, pooled: Tensor) -> Tensor:
        """Features (B, D) of a length of about 1."""
        return (pooled - self.mean) / (self.deviation * math.sqrt(self.mean.numel()))

    def measure(self, pooled: Tensor) -> None:
        """Take mean and deviation of features (N, D); one that never varies keeps its scale."""
        spread = pooled.std(dim=0, unbiased=False)
        self.mean.copy_(pooled.mean(dim=0))
        self.deviation.copy_(torch.where(spread > 1e-6, spread, 1.0))
        self.cases.fill_(len(pooled))

    def forward(self, pooled: Tensor) -> Tensor:
        """Logits (B, F) from features (B, D)."""
        return self.linear(self.dropout(self.standardised(pooled)))
