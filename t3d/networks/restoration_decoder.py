"""The restoration decoder: from the (text-informed) map back to the clean crop."""

from monai.networks.blocks import Convolution, UpSample
from torch import Tensor, nn

from t3d.errors import T3DError


class RestorationDecoder(nn.Module):
    """Doublings from a map (B, width, X/s, Y/s, Z/s) to (B, channels, X, Y, Z), no skip connections.

    As in Swin UNETR's pre-training head the decoder sees that map alone: a skip from the corrupted crop
    would let it copy what is uncorrupted past the text-informed encoder. Transposed convolutions and group norm
    instead of interpolation and instance norm (ours), because the smallest crop has a single deepest token and
    instance norm over one voxel erases it.

    Args:
        width: channels of the map; halved by every doubling.
        stride: s of the map, a power of two.
        out_channels: of a crop.

    Raises:
        T3DError: the map is too narrow to be halved so often.
    """

    def __init__(self, *, width: int, stride: int, out_channels: int = 1) -> None:
        super().__init__()
        groups = 3 if width % 3 == 0 else 2  # Swin's widths are multiples of its three heads
        if width % (groups * stride):
            raise T3DError(
                f"a map of {width} channels cannot be decoded from stride {stride}, which halves them "
                f"{stride.bit_length() - 1} times: choose a feature_size that makes them {groups * stride}, "
                f"{2 * groups * stride}, {3 * groups * stride} .., or restoration_weight 0"
            )
        stages: list[nn.Module] = []
        for _ in range(stride.bit_length() - 1):
            half = width // 2
            stages += [
                UpSample(3, width, half, scale_factor=2, mode="deconv"),
                Convolution(3, half, half, act="LEAKYRELU", norm=("group", {"num_groups": groups}), adn_ordering="NA"),
            ]
            width = half
        self.stages = nn.Sequential(*stages)
        self.to_voxels = nn.Conv3d(width, out_channels, kernel_size=1)

    def forward(self, tokens: Tensor) -> Tensor:
        """Decode the map; the output has no activation (targets lie in [0, 1])."""
        return self.to_voxels(self.stages(tokens))


def decode_tokens(decoder: nn.Module, tokens: Tensor, maps: Tensor) -> Tensor:
    """Crops (B, K, channels, X, Y, Z) from tokens (B, K, N, width) lying as in maps (B, K, width, X/s, Y/s, Z/s)."""
    restored = decoder(tokens.flatten(0, 1).transpose(1, 2).unflatten(2, maps.shape[3:]))
    return restored.unflatten(0, maps.shape[:2])
