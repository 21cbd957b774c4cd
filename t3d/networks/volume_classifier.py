"""Findings of a whole volume at full resolution: windows, encoder, pooling, one logit each."""

import math
from collections.abc import Sequence

import torch
from monai.utils import convert_to_tensor
from torch import Tensor, nn

from t3d.errors import T3DError
from t3d.networks.attention_pooling import AttentionPooling
from t3d.networks.encoders import build_encoder, find_backbone
from t3d.networks.token_pooling import TokenHead, pool_tokens, pool_windows
from t3d.networks.volume_windows import VolumeWindows

POOLINGS = ("attention", "tokens")
# settings that a record of a training needs to build the network again, beside the findings and the crop size
RECORDED = (
    *("backbone", "feature_size", "window_size", "norm", "stem_stride", "overlap", "body_level", "body_share"),
    *("pooling", "scales", "attention_width"),
)


class VolumeClassifier(VolumeWindows):
    """The encoder looks through windows; what it sees is pooled over the volume, and each finding gets a logit.

    - ``attention``: a window's features are the mean of its deepest tokens (C channels), layer-normalised; each
      finding weighs the windows in its own way.
    - ``tokens``: mean, maximum and minimum over the tokens of some maps, over all windows; then ``TokenHead``.

    Windows that show almost only air (below ``body_share`` of voxels above ``body_level``, as in
    ``t3d.infer.volume_features``) do not count, unless every window of the volume is air.

    Args:
        num_findings: F.
        backbone, feature_size, window_size, depths, num_heads, drop_path_rate, norm, stem_stride, use_checkpoint: of
            the encoder, as for ``PretrainNetwork``.
        crop_size, overlap, sw_batch_size, body_level, body_share: as for ``VolumeWindows``.
        pooling: "attention" or "tokens".
        scales: strides of the maps whose tokens are pooled, voxels a side of a token; None for all but 1.
        attention_width: hidden width of the attention.
        dropout: of the window features (attention) or the volume's (tokens) in training.
    """

    def __init__(
        self,
        *,
        num_findings: int,
        backbone: str = "swin",
        feature_size: int = 48,
        window_size: int | None = None,
        depths: Sequence[int] | None = None,
        num_heads: Sequence[int] | None = None,
        drop_path_rate: float | None = None,
        norm: str | None = None,
        stem_stride: int | None = None,
        use_checkpoint: bool = False,
        crop_size: int | Sequence[int] = 96,
        overlap: float = 0.25,
        sw_batch_size: int = 4,
        body_level: float = 0.2,
        body_share: float = 0.05,
        pooling: str = "attention",
        scales: Sequence[int] | None = None,
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
        self.backbone = find_backbone(backbone)
        encoder = build_encoder(
            backbone,
            feature_size=feature_size,
            window_size=window_size,
            depths=depths,
            num_heads=num_heads,
            drop_path_rate=drop_path_rate,
            norm=norm,
            stem_stride=stem_stride,
            use_checkpoint=use_checkpoint,
        )
        self.add_module(self.backbone.attribute, encoder)
        self.scales = _scales(pooling, scales, encoder.strides)
        widths = dict(zip(encoder.strides, encoder.widths, strict=True))
        width = sum(widths[stride] for stride in self.scales)
        self.tokens: TokenHead | None = None
        if pooling == "tokens":
            self.feature_width = 3 * width
            self.tokens = TokenHead(self.feature_width, num_findings, dropout=dropout)
            return
        self.feature_width = width
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.pooling = AttentionPooling(width, num_findings, hidden=attention_width)
        self.weight = nn.Parameter(torch.randn(num_findings, width) / math.sqrt(width))
        self.bias = nn.Parameter(torch.zeros(num_findings))

    def encode(self, windows: Tensor) -> Tensor:
        """Features (N, C) of windows (N, s, s, s): mean of the deepest tokens, or ``pool_tokens`` of the maps."""
        maps = self.get_submodule(self.backbone.attribute)(windows.unsqueeze(1), strides=self.scales)
        return maps[0].float().flatten(2).mean(dim=2) if self.tokens is None else pool_tokens(maps)

    def classify(self, features: Tensor, mask: Tensor) -> Tensor:
        """Logits (B, F) from window features (B, W, C) and their mask (B, W)."""
        if self.tokens is not None:
            return self.tokens(pool_windows(features, mask))
        return self.classify_with_attention(features, mask)[0]

    def classify_with_attention(self, features: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, F), and the weight (B, F, W) that each window had in them."""
        pooled, attention = self.pooling(self.dropout(self.norm(features)), mask)
        return (pooled * self.weight).sum(dim=-1) + self.bias, attention

    def pooled(self, image: Tensor, *, mask: Tensor) -> Tensor:
        """What ``tokens`` reads of windows (B, W, s, s, s) or their features (B, W, C), (B, C)."""
        image, mask = (convert_to_tensor(given, track_meta=False) for given in (image, mask))
        return pool_windows(self.counted_features(image, mask), mask)


def _scales(pooling: str, scales: Sequence[int] | None, strides: Sequence[int]) -> tuple[int, ...]:
    if pooling not in POOLINGS:
        raise T3DError(f"pooling {pooling!r} is unknown; choose one of {', '.join(POOLINGS)}")
    if pooling == "attention":
        return (strides[-1],)
    if scales is None:
        return tuple(stride for stride in strides if stride > 1)
    if not scales or any(stride not in strides for stride in scales) or len(set(scales)) < len(scales):
        raise T3DError(
            f"scales {list(scales)}: name some of the encoder's maps, which have the strides {list(strides)}"
        )
    return tuple(sorted(scales))
