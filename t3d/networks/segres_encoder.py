"""The residual convolutions of SegResNet as a vision encoder: MONAI's own ``SegResEncoder``."""

from collections.abc import Sequence
from typing import Any

import torch.utils.checkpoint
from monai.networks.nets.segresnet_ds import SegResEncoder, SegResNetDS
from monai.networks.utils import pixelshuffle, pixelunshuffle
from torch import Tensor

from t3d.errors import T3DError

# blocks of each stage, those of CT-FM (Pai et al. 2025, arXiv 2501.09001), by the stem's stride: a coarser stem leaves
# out the stages above it, so that the deepest map is that of stride 16
DEPTHS = {1: (1, 2, 2, 4, 4), 2: (2, 2, 4, 4), 4: (2, 4, 4)}
STRIDE = 16  # of the deepest map: each stage but the last halves a crop
NORMS = ("instance", "batch")
# In bfloat16 CPUs may compute wrong gradients of 3 x 3 x 3 convolutions over maps with a side of 2 (torch 2.13).
_SMALL = 2


class ConvEncoder(SegResEncoder):
    """MONAI's ``SegResEncoder`` with its parameters and names; maps that nobody asks for are not made.

    Attributes:
        strides: voxels a side that one token covers, of each map.
        widths: channels of each map.
        use_checkpoint: whether a stage's blocks are computed again in the backward pass instead of kept.
        stem_stride: voxels a side that are folded into channels before the first convolution, see ``segres_encoder``.
    """

    use_checkpoint = False
    stem_stride = 1

    @property
    def strides(self) -> tuple[int, ...]:
        """s, 2 s, 4 s .. of as many stages as there are, from the stem's stride s on."""
        return tuple(self.stem_stride * 2**stage for stage in range(len(self.blocks_down)))

    @property
    def widths(self) -> tuple[int, ...]:
        """f, 2 f, 4 f .. of a feature size f."""
        return tuple(self.init_filters * 2**stage for stage in range(len(self.blocks_down)))

    def forward(self, x: Tensor, *, strides: Sequence[int] | None = None) -> list[Tensor]:
        """Maps (B, C, X/s, Y/s, Z/s) of crops (B, channel, X, Y, Z), one for each stride s asked for, or all."""
        wanted = self.strides if strides is None else tuple(strides)
        found: dict[int, Tensor] = {}
        x = self.conv_init(fold(x, self.stem_stride))
        levels: Any = self.layers  # typed as plain modules
        for stride, level in zip(self.strides, levels, strict=True):
            x = self._blocks(level["blocks"], x)
            found[stride] = x
            if stride == max(wanted):
                break
            x = level["downsample"](x)
        return [found[stride] for stride in wanted]

    def _blocks(self, blocks: torch.nn.Module, x: Tensor) -> Tensor:
        if x.device.type == "cpu" and min(x.shape[2:]) <= _SMALL and torch.is_autocast_enabled("cpu"):
            with torch.autocast("cpu", enabled=False):
                return self._recomputed(blocks, x.to(torch.promote_types(x.dtype, torch.float32)))
        return self._recomputed(blocks, x)

    def _recomputed(self, blocks: torch.nn.Module, x: Tensor) -> Tensor:
        if self.use_checkpoint and self.training:
            return torch.utils.checkpoint.checkpoint(blocks, x, use_reentrant=False)
        return blocks(x)


class FoldedSegResNet(SegResNetDS):
    """MONAI's ``SegResNetDS`` over voxels that are folded into channels; its answer is unfolded again (ours).

    Parameters and their names are those of ``SegResNetDS`` of s^3 times as many input and output channels. Its encoder
    is a ``ConvEncoder``, which does the folding.
    """

    def __init__(self, *, in_channels: int, out_channels: int, stem_stride: int, **settings: Any) -> None:
        voxels = stem_stride**3
        super().__init__(in_channels=voxels * in_channels, out_channels=voxels * out_channels, **settings)
        self.in_channels, self.out_channels, self.stem_stride = in_channels, out_channels, stem_stride
        _ours(self.encoder).stem_stride = stem_stride

    def shape_factor(self) -> list[int]:
        """What the sides of a crop must be divisible by, in voxels."""
        return [self.stem_stride * factor for factor in super().shape_factor()]

    def forward(self, x: Tensor) -> Tensor:
        """Class logits (B, out_channels, X, Y, Z) of crops (B, in_channels, X, Y, Z)."""
        logits: Any = super().forward(x)  # a list only with deep supervision
        return pixelshuffle(logits, 3, self.stem_stride)


def fold(x: Tensor, stride: int) -> Tensor:
    """(B, C, X, Y, Z) -> (B, s^3 C, X/s, Y/s, Z/s): neighbouring voxels side by side as channels, nothing lost."""
    return x if stride == 1 else pixelunshuffle(x, 3, stride)


def segres_encoder(
    *,
    in_channels: int = 1,
    feature_size: int = 32,
    depths: Sequence[int] | None = None,
    norm: str = "instance",
    stem_stride: int = 1,
    use_checkpoint: bool = False,
) -> ConvEncoder:
    """Build the encoder that ``monai.networks.nets.SegResNetDS`` holds as ``encoder``.

    Args:
        in_channels: of a crop.
        feature_size: channels of the first map, ``init_filters`` of MONAI.
        depths: blocks of each stage, ``blocks_down`` of MONAI; ``DEPTHS`` if not given.
        norm: "instance", by which a crop does not depend on the others of its batch (ours), or MONAI's "batch", which
            weights trained with it need: those of CT-FM, whose files hold running means and variances.
        stem_stride: voxels a side that are folded into channels before the first convolution, 1 (MONAI's), 2 or 4. The
            maps above that stride cost most of the time; a folded stem is for processors without a GPU and for studies
            of many trainings, and shows less of what is small (ours).
        use_checkpoint: as for ``ConvEncoder``.
    """
    settings = _settings(feature_size, depths, norm, stem_stride)
    encoder = ConvEncoder(in_channels=in_channels * stem_stride**3, **settings)
    encoder.use_checkpoint, encoder.stem_stride = use_checkpoint, stem_stride
    return encoder


def segresnet(
    *,
    in_channels: int,
    out_channels: int,
    feature_size: int = 32,
    depths: Sequence[int] | None = None,
    norm: str = "instance",
    stem_stride: int = 1,
    use_checkpoint: bool = False,
) -> SegResNetDS:
    """MONAI's own network around the same encoder, without deep supervision; ``FoldedSegResNet`` with a stem."""
    settings: dict[str, Any] = _settings(feature_size, depths, norm, stem_stride)
    settings |= {"in_channels": in_channels, "out_channels": out_channels}
    network = SegResNetDS(**settings) if stem_stride == 1 else FoldedSegResNet(stem_stride=stem_stride, **settings)
    return recompute_blocks(network) if use_checkpoint else network


def recompute_blocks(network: SegResNetDS) -> SegResNetDS:
    """Let MONAI's network compute its encoder's blocks again in the backward pass, in place; it has no such option.

    Parameters and their names stay as they are.
    """
    _ours(network.encoder).use_checkpoint = True
    return network


def _ours(encoder: Any) -> ConvEncoder:
    """MONAI's encoder made a ``ConvEncoder`` in place, so that the same random numbers give the same weights."""
    encoder.__class__ = ConvEncoder
    return encoder


def _settings(feature_size: int, depths: Sequence[int] | None, norm: str, stem_stride: int) -> dict[str, Any]:
    if feature_size < 2 or feature_size % 2:
        raise T3DError(f"feature_size {feature_size} is odd or below 2; a SegRes encoder takes 8, 16, 32 ..")
    if norm not in NORMS:
        raise T3DError(f"norm {norm!r} is unknown; choose one of {', '.join(NORMS)}")
    if stem_stride not in DEPTHS:
        raise T3DError(f"stem_stride {stem_stride} is unknown; choose one of {', '.join(map(str, DEPTHS))}")
    blocks = DEPTHS[stem_stride] if depths is None else depths
    return {"init_filters": feature_size, "blocks_down": tuple(blocks), "norm": norm}
