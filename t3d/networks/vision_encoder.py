"""The vision encoder: MONAI's own Swin transformer, built as SwinUNETR builds it."""

from collections.abc import Sequence

from monai.networks.nets.swin_unetr import PatchMerging, SwinTransformer
from torch import Tensor, nn

from t3d.errors import T3DError

STRIDE = 32  # patch size 2 and four mergings: one token of the deepest map covers 32 voxels a side


def swin_transformer(
    *,
    in_channels: int = 1,
    feature_size: int = 48,
    window_size: int = 7,
    depths: Sequence[int] = (2, 2, 2, 2),
    num_heads: Sequence[int] = (3, 6, 12, 24),
    drop_path_rate: float = 0.0,
    use_checkpoint: bool = False,
) -> SwinTransformer:
    """Build the transformer that ``monai.networks.nets.SwinUNETR`` holds as ``swinViT``.

    Same arguments, same parameter names and shapes, so weights go both ways. Defaults are Swin UNETR's
    (``feature_size`` 48 as in its pre-training).
    """
    if feature_size % 12:
        raise T3DError(
            f"feature_size {feature_size} is not divisible by 12; Swin UNETR's heads need 12, 24, 36, 48 .."
        )
    return SwinTransformer(
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


def check_crop(crop: Tensor) -> None:
    """Raise unless ``crop`` is (B, C, X, Y, Z) with every side divisible by 32."""
    sides = tuple(crop.shape[2:])
    if crop.ndim != 5 or any(side % STRIDE for side in sides):
        raise T3DError(
            f"a crop of shape {tuple(crop.shape)} cannot be encoded: it must be (batch, channel, X, Y, Z) "
            f"with every side divisible by {STRIDE}; set crop_size to 32, 64, 96, 128 .."
        )
