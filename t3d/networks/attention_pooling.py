"""Gated attention over windows: which of them speak for a finding."""

import torch
from torch import Tensor, nn


class AttentionPooling(nn.Module):
    """Weighted mean of window features, with weights of its own for every finding.

    Gated attention of Ilse et al. 2018 (arXiv 1802.04712, equation 9): ``w . (tanh(V h) * sigmoid(U h))``, softmax
    over the windows. V and U are shared, w belongs to the finding (ours: an effusion and a renal cyst lie in
    different windows). w starts at zero, so training starts from the plain mean.

    Args:
        width: C, features of a window.
        findings: F.
        hidden: width of the gates.
    """

    def __init__(self, width: int, findings: int, *, hidden: int = 128) -> None:
        super().__init__()
        self.look = nn.Linear(width, hidden)
        self.gate = nn.Linear(width, hidden)
        self.weigh = nn.Linear(hidden, findings, bias=False)
        nn.init.zeros_(self.weigh.weight)

    def forward(self, features: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Pool.

        Args:
            features: (B, W, C).
            mask: (B, W) bool, True for windows that count; at least one a volume.

        Returns:
            Pooled features (B, F, C) and weights (B, F, W), which sum to 1 over the counted windows.
        """
        energy = self.weigh(torch.tanh(self.look(features)) * torch.sigmoid(self.gate(features)))
        energy = energy.float().masked_fill(~mask.unsqueeze(-1), float("-inf"))
        weights = energy.softmax(dim=1).transpose(1, 2)
        return weights.to(features.dtype) @ features, weights
