"""One map of tokens out of several stages of an encoder."""

from collections.abc import Sequence

from torch import Tensor, nn

from t3d.errors import T3DError
from t3d.networks.encoders import Encoder

FINEST = 8  # voxels a side; 96^3 has 1,728 such tokens, and eight times as many at the next finer stride


class Laterals(nn.ModuleDict):
    """The finest of some maps, plus what each deeper one says of the same places, repeated for the finer tokens.

    F = map_s + sum over deeper strides d of upsample(lateral_d(map_d)), so that every stage of the encoder is trained
    (as in feature pyramids, arXiv 1612.03144). Without deeper maps it has no parameters and changes nothing.

    Args:
        strides: of the maps, finest first.
        widths: their channels.
    """

    def __init__(self, strides: Sequence[int], widths: Sequence[int]) -> None:
        super().__init__(
            {str(stride): nn.Linear(width, widths[0]) for stride, width in zip(strides[1:], widths[1:], strict=True)}
        )

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps (B, C_d, X/d, Y/d, Z/d), finest first -> (B, C_s, X/s, Y/s, Z/s)."""
        fused, *deeper = maps
        for lateral, deep in zip(self.values(), deeper, strict=True):
            said = lateral(deep.movedim(1, -1)).movedim(-1, 1)
            fused = fused + _repeat(said, fused.shape[2] // deep.shape[2])
        return fused


def strides_from(encoder: Encoder, fuse_stride: int | None, *, backbone: str) -> tuple[int, ...]:
    """The strides of an encoder's maps from ``fuse_stride`` to the deepest; None is the deepest alone.

    Raises:
        T3DError: the encoder has no map of that stride, or one too fine for attention.
    """
    if fuse_stride is None:
        return encoder.strides[-1:]
    usable = [stride for stride in encoder.strides if stride >= FINEST]
    if fuse_stride not in usable:
        raise T3DError(
            f"fuse_stride {fuse_stride}: the backbone {backbone} has maps of stride {', '.join(map(str, usable))}; "
            "choose one of them, or null for the deepest"
        )
    return tuple(stride for stride in usable if stride >= fuse_stride)


def _repeat(deep: Tensor, times: int) -> Tensor:
    """Nearest upsampling whose backward pass is a plain sum, so deterministic on every device."""
    batch, width, *sides = deep.shape
    spread = deep[:, :, :, None, :, None, :, None].expand(-1, -1, -1, times, -1, times, -1, times)
    return spread.reshape(batch, width, *(side * times for side in sides))
