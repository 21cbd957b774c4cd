"""Findings of a whole volume at full resolution: windows, encoder, attention over windows, one logit each."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from t3d.errors import T3DError
from t3d.networks.attention_pooling import AttentionPooling
from t3d.networks.vision_encoder import swin_transformer
from t3d.networks.volume_windows import VolumeWindows


class VolumeClassifier(VolumeWindows):
    """The encoder looks through windows; what it sees is pooled by attention, and each finding gets a logit.

    A window's features are the mean of its deepest tokens (16 * feature_size), layer-normalised. Windows that show
    almost only air (below ``body_share`` of voxels above ``body_level``, as in ``t3d.infer.volume_features``) do
    not count, unless every window of the volume is air.

    Args:
        num_findings: F.
        feature_size, window_size, depths, num_heads, drop_path_rate, use_checkpoint: of the encoder, as for
            MONAI's SwinUNETR.
        crop_size, overlap, sw_batch_size, body_level, body_share: as for ``VolumeWindows``.
        attention_width: hidden width of the attention.
        dropout: of the window features in training.
    """

    def __init__(
        self,
        *,
        num_findings: int,
        feature_size: int = 48,
        window_size: int = 7,
        depths: Sequence[int] = (2, 2, 2, 2),
        num_heads: Sequence[int] = (3, 6, 12, 24),
        drop_path_rate: float = 0.0,
        use_checkpoint: bool = False,
        crop_size: int | Sequence[int] = 96,
        overlap: float = 0.25,
        sw_batch_size: int = 4,
        body_level: float = 0.2,
        body_share: float = 0.05,
        attention_width: int = 128,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(
            crop_size=crop_size,
            overlap=overlap,
            sw_batch_size=sw_batch_size,
            body_level=body_level,
            body_share=body_share,
        )
        if num_findings < 1:
            raise T3DError(f"num_findings {num_findings} must be 1 or more: name at least one finding")
        self.swinViT = swin_transformer(
            feature_size=feature_size,
            window_size=window_size,
            depths=depths,
            num_heads=num_heads,
            drop_path_rate=drop_path_rate,
            use_checkpoint=use_checkpoint,
        )
        width = 16 * feature_size
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.pooling = AttentionPooling(width, num_findings, hidden=attention_width)
        self.weight = nn.Parameter(torch.randn(num_findings, width) / math.sqrt(width))
        self.bias = nn.Parameter(torch.zeros(num_findings))

    def encode(self, windows: Tensor) -> Tensor:
        """Mean of the deepest tokens (N, C) of windows (N, s, s, s)."""
        return self.swinViT(windows.unsqueeze(1))[-1].float().flatten(2).mean(dim=2)

    def classify(self, features: Tensor, mask: Tensor) -> Tensor:
        """Logits (B, F) from window features (B, W, C) and their mask (B, W)."""
        return self.classify_with_attention(features, mask)[0]

    def classify_with_attention(self, features: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, F), and the weight (B, F, W) that each window had in them."""
        pooled, attention = self.pooling(self.dropout(self.norm(features)), mask)
        return (pooled * self.weight).sum(dim=-1) + self.bias, attention
