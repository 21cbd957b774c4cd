"""Cross-entropy of many findings, of which some are unknown."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t3d.errors import T3DError


class MaskedBCE(nn.Module):
    """Binary cross-entropy with logits; unknown labels (NaN) stay out of the sum and of the mean.

    Args:
        positive_weight: (F,) factors of the positives' terms, against rare findings; None for 1.
    """

    positive_weight: Tensor | None

    def __init__(self, positive_weight: Sequence[float] | None = None) -> None:
        super().__init__()
        weight = None if positive_weight is None else torch.as_tensor(positive_weight, dtype=torch.float32)
        self.register_buffer("positive_weight", weight, persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Mean over the known labels; 0 (with zero gradients) where a batch has none.

        Args:
            logits: (B, F).
            labels: (B, F) of 0, 1 and NaN.
        """
        if logits.shape != labels.shape:
            raise T3DError(
                f"logits of shape {tuple(logits.shape)} and labels of shape {tuple(labels.shape)} differ: the network "
                "and the labels must name the same findings"
            )
        known = torch.isfinite(labels)
        weight = None if self.positive_weight is None else self.positive_weight.to(logits.device, non_blocking=True)
        terms = F.binary_cross_entropy_with_logits(
            logits.float(), torch.where(known, labels, 0).float(), pos_weight=weight, reduction="none"
        )
        return torch.where(known, terms, 0.0).sum() / known.sum().clamp(min=1)
