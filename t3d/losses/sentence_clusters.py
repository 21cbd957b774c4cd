"""Clusters of sentences as labels: which kinds of sentence does this volume's report hold?"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t3d.errors import T3DError


class SentenceClusters(nn.Module):
    """Binary cross-entropy of each volume over all clusters that the sentences of the training list were put into.

    Text as labels (ours): what a report says becomes a fixed list of yes and no. A cluster's vector is that of its
    centre, its bias the log odds of its share of the list, so that vectors which know nothing begin at the entropy of
    the shares. Divided by the clusters that a report is expected to hold, so that the loss is one of sentences.

    Args:
        temperature: divides the cosines.
    """

    def __init__(self, *, temperature: float = 0.1) -> None:
        super().__init__()
        if temperature <= 0:
            raise T3DError(f"temperature {temperature} must be above 0; 0.07 to 0.1 are usual")
        self.temperature = temperature

    def forward(self, volume: Tensor, *, cluster: Tensor, cluster_share: Tensor, cluster_said: Tensor) -> Tensor:
        """Return the mean over this process's volumes.

        Args:
            volume: (B, D) unit vectors.
            cluster: (K, D) unit vectors of the centres.
            cluster_share: (K,) share of the training reports that hold the cluster, above 0 and below 1.
            cluster_said: (B, K) bool, which clusters these reports hold.
        """
        exact = torch.promote_types(volume.dtype, torch.float32)
        with torch.autocast(volume.device.type, enabled=False):
            share = cluster_share.to(exact)
            logits = volume.to(exact) @ cluster.to(exact).T / self.temperature + share.logit()
            losses = F.binary_cross_entropy_with_logits(logits, cluster_said.to(exact), reduction="none")
            return losses.sum(dim=1).mean() / share.sum()
