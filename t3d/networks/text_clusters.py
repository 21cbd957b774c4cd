"""Clusters of a cohort's sentences, in the network so that they travel with its weights."""

import torch
from torch import Tensor, nn

from t3d.errors import T3DError


class TextClusters(nn.Module):
    """Centres of clusters of standardised sentence features, and how many reports hold each.

    Args:
        count: K.
        width: T, channels of a text feature.
    """

    centre: Tensor
    share: Tensor

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(count, width))
        self.register_buffer("share", torch.full((count,), 0.5))

    def set(self, centre: Tensor, share: Tensor) -> None:
        """Take over the clusters of a cohort.

        Args:
            centre: (K, T).
            share: (K,), above 0 and below 1.

        Raises:
            T3DError: another shape, or a share that is none.
        """
        if centre.shape != self.centre.shape or share.shape != self.share.shape:
            raise T3DError(
                f"clusters of shape {tuple(centre.shape)} do not fit the network's {tuple(self.centre.shape)}: set "
                "sentence_clusters and text_width to theirs"
            )
        if not ((share > 0) & (share < 1)).all():
            raise T3DError("the share of reports that hold a cluster must be above 0 and below 1 for each of them")
        self.centre.copy_(centre)
        self.share.copy_(share)

    def nearest(self, sentences: Tensor) -> Tensor:
        """Numbers (..) of the clusters that standardised features (.., T) belong to."""
        # |x - c|^2 without |x|^2, which all centres share
        with torch.autocast(sentences.device.type, enabled=False):
            exact = sentences.float()
            return (exact @ self.centre.float().T - self.centre.float().square().sum(dim=1) / 2).argmax(dim=-1)

    def held(self, said: Tensor, said_mask: Tensor) -> Tensor:
        """Which clusters reports hold, (B, K) bool, from standardised sentences (B, R, T) and their mask (B, R)."""
        own = torch.zeros(len(said), len(self.share) + 1, dtype=torch.bool, device=said.device)
        # one place more takes the sentences that are none
        places = self.nearest(said).masked_fill(~said_mask, len(self.share))
        return own.scatter(1, places, True)[:, :-1]
