"""A vision encoder and one map of tokens out of its stages, with the statistics that are read of them."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from t3d.errors import T3DError
from t3d.networks.encoders import build_encoder, check_crop, find_backbone
from t3d.networks.fused_maps import Laterals, strides_from
from t3d.networks.pooling import Pooling
from t3d.networks.tokens import as_tokens


class CropEncoder(nn.Module):
    """Crops as tokens, before any text.

    Args:
        backbone, fuse_stride, pooling: as for ``PretrainNetwork``.
        summary: statistics of a volume's tokens, see ``Pooling``; those of ``pooling`` if not given.
        **settings: of the encoder, see ``t3d.networks.encoders.build_encoder``.

    Attributes:
        strides, stride: voxels a side of a token in each of the encoder's maps, and in the deepest.
        fuse_stride, width: of the map that the others are added to, and its channels C.
        pooling, summary: statistics of a crop's tokens that contrasts compare, and of a volume's.
        pooled_width: numbers of ``summary``.
    """

    def __init__(
        self,
        *,
        backbone: str,
        fuse_stride: int | None,
        pooling: Sequence[str],
        summary: Sequence[str] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__()
        self.backbone = find_backbone(backbone)
        encoder = build_encoder(backbone, **settings)
        self.add_module(self.backbone.attribute, encoder)
        self.strides = encoder.strides
        self.stride = encoder.strides[-1]
        self.map_strides = strides_from(encoder, fuse_stride, backbone=backbone)
        self.fuse_stride = self.map_strides[0]
        widths = encoder.widths[-len(self.map_strides) :]
        self.width = widths[0]
        self.lateral = Laterals(self.map_strides, widths)
        self.pooling = Pooling(pooling)
        self.summary = self.pooling if summary is None else Pooling(summary)
        self.pooled_width = len(self.summary) * self.width

    @property
    def vision(self) -> nn.Module:
        """The vision encoder."""
        return self.get_submodule(self.backbone.attribute)

    def encode(self, views: Tensor) -> Tensor:
        """Token maps F of views (B, K, C, X, Y, Z) -> (B, K, C, X/s, Y/s, Z/s), s = ``fuse_stride``."""
        batch, count = views.shape[:2]
        crops = views.flatten(0, 1)
        check_crop(crops, stride=self.stride)
        return self.lateral(self.vision(crops, strides=self.map_strides)).unflatten(0, (batch, count))

    def tokens(self, views: Tensor) -> Tensor:
        """Visual tokens F of views (B, K, C, X, Y, Z) -> (B, K, N, C)."""
        return as_tokens(self.encode(views))

    def window_features(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Token maps (N, C, X/s, ..) of windows (N, C, X, Y, Z), and their statistics (N, k C), see ``Pooling``.

        The statistics are what ``embed_pooled`` takes: k = 3 with sentence targets, else one for each of ``pooling``.
        """
        maps = self.encode(windows.unsqueeze(1))
        return maps[:, 0], self.summary.tokens(as_tokens(maps))[:, 0]

    def window_scales(self, windows: Tensor, scales: Sequence[int]) -> tuple[Tensor, Tensor, list[Tensor]]:
        """``window_features``, and the encoder's own maps (N, C_d, X/d, ..) of the strides d, in one pass.

        Raises:
            T3DError: the encoder has no map of a stride.
        """
        if not scales or not set(scales) <= set(self.strides) or len(set(scales)) < len(scales):
            raise T3DError(
                f"scales {list(scales)}: name some of the encoder's maps, which have the strides {list(self.strides)}"
            )
        check_crop(windows, stride=self.stride)
        strides = [stride for stride in self.strides if stride in {*self.map_strides, *scales}]
        maps = dict(zip(strides, self.vision(windows, strides=strides), strict=True))
        fused = self.lateral([maps[stride] for stride in self.map_strides])
        return fused, self.summary.tokens(fused.flatten(2).transpose(1, 2)), [maps[stride] for stride in scales]

    def pool_windows(self, pooled: Tensor) -> Tensor:
        """Statistics (1, k C) of one volume from those of its windows (W, k C)."""
        return self.summary.windows(pooled.unsqueeze(0))
