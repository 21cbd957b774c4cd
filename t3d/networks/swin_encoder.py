"""The Swin transformer as a vision encoder: MONAI's own, built as SwinUNETR builds it."""

from collections.abc import Sequence

from monai.networks.nets import SwinUNETR
from monai.networks.nets.swin_unetr import PatchMerging, SwinTransformer
from torch import Tensor, nn

from t3d.errors import T3DError
from t3d.networks.window_attention import fuse_attention

# The patch embedding halves a crop once, each of four stages once more: one deepest token covers 32 voxels a side.
STRIDES = (2, 4, 8, 16, 32)


class SwinEncoder(SwinTransformer):
    """MONAI's ``SwinTransformer`` with its parameters, names and maps; only the maps that are asked for are made.

    Attributes:
        strides: voxels a side that one token covers, of each map.
        widths: channels of each map.
    """

    strides = STRIDES

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each map: f, 2 f, 4 f, 8 f, 16 f of a feature size f."""
        return tuple(self.embed_dim * 2**stage for stage in range(len(STRIDES)))

    def forward(self, x: Tensor, normalize: bool = True, *, strides: Sequence[int] | None = None) -> list[Tensor]:
        """Maps (B, C, X/s, Y/s, Z/s) of crops (B, channel, X, Y, Z), one for each stride s asked for, or all five.

        Unlike in MONAI's, maps that nobody asks for are not normalised, and stages above the last one not run.
        """
        wanted = self.strides if strides is None else tuple(strides)
        found: dict[int, Tensor] = {}
        x = self.pos_drop(self.patch_embed(x))
        stages = (None, self.layers1, self.layers2, self.layers3, self.layers4)
        for stride, stage in zip(self.strides, stages, strict=True):
            if stage is not None:
                x = stage[0](x.contiguous())
            if stride in wanted:
                found[stride] = self.proj_out(x, normalize)
            if stride == max(wanted):
                break
        return [found[stride] for stride in wanted]


def swin_transformer(
    *,
    in_channels: int = 1,
    feature_size: int = 48,
    window_size: int = 7,
    depths: Sequence[int] = (2, 2, 2, 2),
    num_heads: Sequence[int] = (3, 6, 12, 24),
    drop_path_rate: float = 0.0,
    use_checkpoint: bool = False,
) -> SwinEncoder:
    """Build the transformer that ``monai.networks.nets.SwinUNETR`` holds as ``swinViT``.

    Same arguments, same parameter names and shapes, so weights go both ways. Defaults are Swin UNETR's
    (``feature_size`` 48 as in its pre-training).
    """
    if feature_size % 12:
        raise T3DError(
            f"feature_size {feature_size} is not divisible by 12; Swin UNETR's heads need 12, 24, 36, 48 .."
        )
    encoder = SwinEncoder(
        in_chans=in_channels,
        embed_dim=feature_size,
        window_size=(window_size,) * 3,
        patch_size=(2, 2, 2),
        depths=tuple(depths),
        num_heads=tuple(num_heads),
        mlp_ratio=4.0,
        qkv_bias=True,
        drop_path_rate=drop_path_rate,
        norm_layer=nn.LayerNorm,
        use_checkpoint=use_checkpoint,
        spatial_dims=3,
        downsample=PatchMerging,
    )
    fuse_attention(encoder)
    return encoder


def swin_unetr(
    *,
    in_channels: int,
    out_channels: int,
    feature_size: int = 48,
    window_size: int = 7,
    depths: Sequence[int] = (2, 2, 2, 2),
    num_heads: Sequence[int] = (3, 6, 12, 24),
    drop_path_rate: float = 0.0,
    use_checkpoint: bool = False,
) -> SwinUNETR:
    """MONAI's own segmentation network around the same transformer."""
    return SwinUNETR(
        in_channels=in_channels,
        out_channels=out_channels,
        feature_size=feature_size,
        window_size=window_size,
        depths=tuple(depths),
        num_heads=tuple(num_heads),
        dropout_path_rate=drop_path_rate,
        use_checkpoint=use_checkpoint,
    )
