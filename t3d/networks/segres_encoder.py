"""The residual convolutions of SegResNet as a vision encoder: MONAI's own ``SegResEncoder``."""

from collections.abc import Sequence
from typing import Any

import torch.utils.checkpoint
from monai.networks.nets.segresnet_ds import SegResEncoder, SegResNetDS
from torch import Tensor

from t3d.errors import T3DError

DEPTHS = (1, 2, 2, 4, 4)  # blocks of each stage, those of CT-FM (Pai et al. 2025, arXiv 2501.09001)
STRIDE = 2 ** (len(DEPTHS) - 1)  # of the deepest map: each stage but the last halves a crop
NORMS = ("instance", "batch")


class ConvEncoder(SegResEncoder):
    """MONAI's ``SegResEncoder`` with its parameters and names; maps that nobody asks for are not made.

    Attributes:
        strides: voxels a side that one token covers, of each map.
        widths: channels of each map.
        use_checkpoint: whether a stage's blocks are computed again in the backward pass instead of kept.
    """

    use_checkpoint = False

    @property
    def strides(self) -> tuple[int, ...]:
        """1, 2, 4 .. of as many stages as there are."""
        return tuple(2**stage for stage in range(len(self.blocks_down)))

    @property
    def widths(self) -> tuple[int, ...]:
        """f, 2 f, 4 f .. of a feature size f."""
        return tuple(self.init_filters * stride for stride in self.strides)

    def forward(self, x: Tensor, *, strides: Sequence[int] | None = None) -> list[Tensor]:
        """Maps (B, C, X/s, Y/s, Z/s) of crops (B, channel, X, Y, Z), one for each stride s asked for, or all."""
        wanted = self.strides if strides is None else tuple(strides)
        found: dict[int, Tensor] = {}
        x = self.conv_init(x)
        levels: Any = self.layers  # typed as plain modules
        for stride, level in zip(self.strides, levels, strict=True):
            if self.use_checkpoint and self.training:
                x = torch.utils.checkpoint.checkpoint(level["blocks"], x, use_reentrant=False)
            else:
                x = level["blocks"](x)
            found[stride] = x
            if stride == max(wanted):
                break
            x = level["downsample"](x)
        return [found[stride] for stride in wanted]


def segres_encoder(
    *,
    in_channels: int = 1,
    feature_size: int = 32,
    depths: Sequence[int] = DEPTHS,
    norm: str = "instance",
    use_checkpoint: bool = False,
) -> ConvEncoder:
    """Build the encoder that ``monai.networks.nets.SegResNetDS`` holds as ``encoder``.

    Args:
        in_channels: of a crop.
        feature_size: channels of the first map, ``init_filters`` of MONAI.
        depths: blocks of each stage, ``blocks_down`` of MONAI.
        norm: "instance", by which a crop does not depend on the others of its batch (ours), or MONAI's "batch", which
            weights trained with it need: those of CT-FM, whose files hold running means and variances.
        use_checkpoint: as for ``ConvEncoder``.
    """
    encoder = ConvEncoder(in_channels=in_channels, **_settings(feature_size, depths, norm))
    encoder.use_checkpoint = use_checkpoint
    return encoder


def segresnet(
    *,
    in_channels: int,
    out_channels: int,
    feature_size: int = 32,
    depths: Sequence[int] = DEPTHS,
    norm: str = "instance",
    use_checkpoint: bool = False,
) -> SegResNetDS:
    """MONAI's own segmentation network around the same encoder, without deep supervision."""
    settings = _settings(feature_size, depths, norm)
    network = SegResNetDS(in_channels=in_channels, out_channels=out_channels, **settings)
    return recompute_blocks(network) if use_checkpoint else network


def recompute_blocks(network: SegResNetDS) -> SegResNetDS:
    """Let MONAI's network compute its encoder's blocks again in the backward pass, in place; it has no such option.

    Parameters and their names stay as they are.
    """
    encoder: Any = network.encoder
    encoder.__class__ = ConvEncoder
    encoder.use_checkpoint = True
    return network


def _settings(feature_size: int, depths: Sequence[int], norm: str) -> dict:
    if feature_size < 2 or feature_size % 2:
        raise T3DError(f"feature_size {feature_size} is odd or below 2; a SegRes encoder takes 8, 16, 32 ..")
    if norm not in NORMS:
        raise T3DError(f"norm {norm!r} is unknown; choose one of {', '.join(NORMS)}")
    return {"init_filters": feature_size, "blocks_down": tuple(depths), "norm": norm}
