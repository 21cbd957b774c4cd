"""Stock Swin UNETR pre-training (rotation, contrast, in-painting), what T3D's step is measured against.

After Tang et al., CVPR 2022, and the SSLHead of MONAI's research contributions (upsample "vae"): two augmented views
of a crop, one encoder pass each, three heads on the deepest map.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t3d.networks.swin_encoder import swin_transformer

TEMPERATURE = 0.5


class StockPretraining(nn.Module):
    """Swin transformer with the rotation, contrast and reconstruction heads of Swin UNETR's pre-training."""

    def __init__(self, *, feature_size: int = 48, window_size: int = 7, use_checkpoint: bool = False) -> None:
        super().__init__()
        width = 16 * feature_size
        self.swinViT = swin_transformer(
            feature_size=feature_size, window_size=window_size, use_checkpoint=use_checkpoint
        )
        self.rotation_head = nn.Linear(width, 4)
        self.contrast_head = nn.Linear(width, 512)
        layers: list[nn.Module] = []
        for channels in (width, width // 2, width // 4, width // 8, width // 16):
            layers += [
                nn.Conv3d(channels, channels // 2, kernel_size=3, padding=1),
                nn.InstanceNorm3d(channels // 2),
                nn.LeakyReLU(),
                nn.Upsample(scale_factor=2, mode="trilinear", align_corners=False),
            ]
        self.conv = nn.Sequential(*layers, nn.Conv3d(width // 32, 1, kernel_size=1))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Crops (B, 1, X, Y, Z) -> rotation logits (B, 4), contrast vectors (B, 512), restored crops."""
        deepest = self.swinViT(image)[-1]
        pooled = deepest.flatten(2).mean(dim=2)
        return self.rotation_head(pooled), self.contrast_head(pooled), self.conv(deepest)


def stock_loss(network: nn.Module, clean: Tensor, corrupted: Tensor) -> Tensor:
    """The sum of the three losses for two views (B, 2, 1, X, Y, Z) of each volume; every crop is encoded once."""
    count = clean.shape[0]
    turns = torch.arange(2 * count, device=clean.device) % 4
    rotation, contrast, restored = network(corrupted.flatten(0, 1))
    first, second = F.normalize(contrast.float(), dim=-1).unflatten(0, (count, 2)).unbind(1)
    both = torch.cat([first, second])
    similar = (both @ both.T / TEMPERATURE).fill_diagonal_(-torch.inf)
    partner = (torch.arange(2 * count, device=clean.device) + count) % (2 * count)
    return (
        F.cross_entropy(rotation.float(), turns)
        + F.cross_entropy(similar, partner)
        + F.l1_loss(restored.float(), clean.flatten(0, 1).float())
    )
