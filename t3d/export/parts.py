"""What of a network is exported: functions of windows with fixed sides, each with names for what goes in and out."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from t3d.errors import T3DError
from t3d.networks.encoders import BACKBONES, backbone_of
from t3d.networks.pretrain import PretrainNetwork
from t3d.networks.volume_classifier import VolumeClassifier
from t3d.networks.window_grid import window_sides

MAIN = "model"
HEAD = "head"
# torch.export wants a bound; a volume of 1,500 windows of 96^3 would have 500 slices of 4,000 x 4,000 voxels
MOST_WINDOWS = 4096


@dataclass(frozen=True)
class Part:
    """One function to export.

    Attributes:
        name: of its file.
        module: in evaluation mode.
        inputs: name -> example tensor, in the order of the arguments.
        outputs: names.
        dynamic: input name -> {axis: (name, largest)}; all other axes keep the example's length.
    """

    name: str
    module: nn.Module
    inputs: dict[str, Tensor]
    outputs: tuple[str, ...]
    dynamic: dict[str, dict[int, tuple[str, int]]]


def parts_of(network: nn.Module, *, crop_size: int | Sequence[int]) -> list[Part]:
    """The parts of a bundle's network.

    - ``SwinUNETR``, ``SegResNetDS``: image (N, 1, s, s, s) -> ``pred`` (N, classes, s, s, s), logits.
    - ``PretrainNetwork``: image -> ``embedding`` (N, D), as its ``forward(image)``, ``map`` (N, C, ..) and
      ``features`` (N, k C), statistics of each window; and, as a second part, ``features`` (1, W, k C) and ``mask``
      (1, W) of all windows of a volume -> ``embedding`` (1, D) and ``pooled`` (1, k C) of the volume.
    - ``VolumeClassifier``: image -> ``features`` (N, C) of windows; and, as a second part, ``features`` (1, W, C) and
      ``mask`` (1, W) of all windows of a volume -> ``pred`` (1, F), logits, and, where it pools by attention,
      ``attention`` (1, F, W). Two, because windows go through the encoder a few at a time and through the head all at
      once.

    N and W are dynamic, the window's sides are not.

    Args:
        network: with its weights; is set to evaluation mode.
        crop_size: window side in voxels, one number or three.

    Raises:
        T3DError: a network of another kind.
    """
    network = network.eval().cpu()
    found = backbone_of(network)
    sides = window_sides(crop_size) if found is None else window_sides(crop_size, stride=found[0].stride)
    # two windows, since torch.export takes a length of one for a constant
    image = {"image": torch.rand(2, 1, *sides, generator=torch.Generator().manual_seed(0))}
    batch = {"image": {0: ("batch", MOST_WINDOWS)}}
    if isinstance(network, tuple(backbone.segmentation for backbone in BACKBONES.values())):
        return [Part(MAIN, network, image, ("pred",), batch)]
    if isinstance(network, PretrainNetwork):
        return [
            Part(MAIN, _Embedding(network), image, ("embedding", "map", "features"), batch),
            _head(_VolumeEmbedding(network), network.pooled_width, ("embedding", "pooled")),
        ]
    if isinstance(network, VolumeClassifier):
        attends = network.tokens is None
        head = _AttentionHead(network) if attends else _Classify(network)
        return [
            Part(MAIN, _WindowFeatures(network), image, ("features",), batch),
            _head(head, network.feature_width, ("pred", "attention") if attends else ("pred",)),
        ]
    raise T3DError(
        f"a {type(network).__name__} cannot be exported; known are the networks of t3d_pretrain, t3d_segmentation "
        "(SwinUNETR, SegResNetDS) and t3d_classification."
    )


def _head(module: nn.Module, width: int, outputs: tuple[str, ...]) -> Part:
    """The part that takes all windows of a volume."""
    features = torch.rand(1, 3, width, generator=torch.Generator().manual_seed(0))
    windows = {"features": features, "mask": torch.tensor([[True, True, False]])}
    return Part(HEAD, module, windows, outputs, {name: {1: ("windows", MOST_WINDOWS)} for name in windows})


class _Embedding(nn.Module):
    def __init__(self, network: PretrainNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        maps, features = self.network.window_features(image)
        return self.network.embed_volumes(features.unsqueeze(1)), maps, features


class _VolumeEmbedding(nn.Module):
    def __init__(self, network: PretrainNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        return self.network.embed_volumes(features, mask), self.network.summary.windows(features, mask)


class _WindowFeatures(nn.Module):
    def __init__(self, network: VolumeClassifier) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        return self.network.encode(image[:, 0])


class _Classify(nn.Module):
    def __init__(self, network: VolumeClassifier) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        return self.network.classify(features, mask)


class _AttentionHead(nn.Module):
    def __init__(self, network: VolumeClassifier) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        return self.network.classify_with_attention(features, mask)
