"""The seam for vision backbones: all that the package must know of a family of encoders, and where to add one.

An encoder is a module with ``strides`` and ``widths`` (voxels a side that one token covers, and channels, of each of
its maps, finest first) whose ``encoder(crops, strides=(s, ..))`` returns the maps of those strides. Its weights carry
the names of the segmentation network of its family: MONAI's own network loads what T3D trained, and the other way.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from monai.networks.nets.segresnet_ds import SegResEncoder, SegResNetDS
from monai.networks.nets.swin_unetr import SwinTransformer, SwinUNETR
from torch import Tensor, nn

from t3d.errors import T3DError
from t3d.networks.segres_encoder import DEPTHS, ConvEncoder, segres_encoder, segresnet
from t3d.networks.segres_encoder import STRIDE as SEGRES_STRIDE
from t3d.networks.swin_encoder import STRIDES, SwinEncoder, swin_transformer, swin_unetr

Encoder = SwinEncoder | ConvEncoder


@dataclass(frozen=True)
class Backbone:
    """A family of vision encoders.

    Attributes:
        name: as ``backbone`` chooses it.
        attribute: what the encoder is called in T3D's networks and in ``segmentation``: the prefix of its weights.
        stride: of the deepest map.
        kind: class of its encoders, MONAI's included.
        segmentation: class of its segmentation network.
        options: settings of ``build`` beside ``in_channels``, ``feature_size`` and ``use_checkpoint``.
        build: settings -> encoder.
        build_segmentation: settings, ``in_channels`` and ``out_channels`` -> segmentation network.
        stage: in names of the encoder's weights, the number of their stage; those without one lie below the first.
        stages: numbers of the stages, as MONAI counts them.
        own_prefixes: prefixes of checkpoints below which everything belongs to an encoder of this family.
        parts: what names of such weights begin with where they have no prefix of their own.
        renamed: parts of names in older checkpoints -> today's.
    """

    name: str
    attribute: str
    stride: int
    kind: type[nn.Module]
    segmentation: type[nn.Module]
    options: tuple[str, ...]
    build: Callable[..., Encoder]
    build_segmentation: Callable[..., nn.Module]
    stage: re.Pattern[str]
    stages: range
    own_prefixes: tuple[str, ...]
    parts: re.Pattern[str]
    renamed: dict[str, str] = field(default_factory=dict)

    @property
    def prefix(self) -> str:
        """What the names of all its weights begin with."""
        return f"{self.attribute}."

    def depth(self, name: str) -> int:
        """How deep a weight of the encoder lies: 0 below its first stage, 1 in it, 2 in the next ..

        Args:
            name: of the weight inside the encoder.
        """
        match = self.stage.match(name)
        return 0 if match is None else self.stages.index(int(match[1])) + 1

    def weight_name(self, name: str) -> str | None:
        """Today's name of a checkpoint's entry, or None where it belongs to no encoder of this family."""
        prefix = next((prefix for prefix in self.own_prefixes if name.startswith(prefix)), None)
        if prefix is None and not self.parts.match(name.removeprefix(self.prefix)):
            return None
        name = name.removeprefix(prefix if prefix is not None else self.prefix)
        for old, new in self.renamed.items():
            name = name.replace(old, new)
        return self.prefix + name


_SWIN = Backbone(
    name="swin",
    attribute="swinViT",
    stride=STRIDES[-1],
    kind=SwinTransformer,
    segmentation=SwinUNETR,
    options=("window_size", "depths", "num_heads", "drop_path_rate"),
    build=swin_transformer,
    build_segmentation=swin_unetr,
    stage=re.compile(r"layers([1-4])c?\."),
    stages=range(1, 5),
    own_prefixes=("swinViT.", "swin_vit.", "swin_ViT."),
    # checkpoints for SwinUNETR.load_from name the transformer's parts without any prefix of its own
    parts=re.compile(r"(patch_embed|layers[1-4]c?)\."),
    # the names of the published Swin UNETR pre-training, before MONAI renamed its perceptron
    renamed={".mlp.fc1.": ".mlp.linear1.", ".mlp.fc2.": ".mlp.linear2."},
)
_SEGRES = Backbone(
    name="segres",
    attribute="encoder",
    stride=SEGRES_STRIDE,
    kind=SegResEncoder,
    segmentation=SegResNetDS,
    options=("depths", "norm", "stem_stride"),
    build=segres_encoder,
    build_segmentation=segresnet,
    stage=re.compile(r"layers\.(\d+)\."),
    stages=range(max(map(len, DEPTHS.values()))),
    own_prefixes=(),  # "encoder." alone is a prefix of many networks
    parts=re.compile(r"conv_init\.|layers\.\d+\.(blocks\.\d+\.(norm|conv)\d|downsample)\."),
)
BACKBONES = {backbone.name: backbone for backbone in (_SWIN, _SEGRES)}
STRIDE = _SWIN.stride  # of the default backbone; that of every other divides it


def find_backbone(name: str) -> Backbone:
    """The family of that name.

    Raises:
        T3DError: there is none.
    """
    if name not in BACKBONES:
        raise T3DError(f"backbone {name!r} is unknown; choose one of {', '.join(BACKBONES)}")
    return BACKBONES[name]


def build_encoder(backbone: str, **settings: Any) -> Encoder:
    """Build an encoder; settings that are None, or that only another family has, are left out."""
    family = find_backbone(backbone)
    return family.build(**_known(family, settings, "in_channels", "feature_size", "use_checkpoint"))


def segmentation_network(backbone: str, **settings: Any) -> nn.Module:
    """Build MONAI's segmentation network around an encoder of that family; settings as for ``build_encoder``."""
    family = find_backbone(backbone)
    common = ("in_channels", "out_channels", "feature_size", "use_checkpoint")
    return family.build_segmentation(**_known(family, settings, *common))


def own_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a network, for its record, without those that only encoders of another family have.

    Args:
        settings: may have ``backbone``; "swin" where it has none (records of t3d 0.1).
    """
    family = find_backbone(settings.get("backbone", "swin"))
    others = {option for backbone in BACKBONES.values() for option in backbone.options} - set(family.options)
    return {name: value for name, value in settings.items() if name not in others}


def backbone_of(network: nn.Module) -> tuple[Backbone, nn.Module] | None:
    """The family and the encoder of a network, T3D's or MONAI's; None where it has none."""
    for backbone in BACKBONES.values():
        encoder = getattr(network, backbone.attribute, None)
        if isinstance(encoder, backbone.kind):
            return backbone, encoder
    return None


def check_crop(crop: Tensor, *, stride: int = STRIDE) -> None:
    """Raise unless ``crop`` is (B, C, X, Y, Z) with every side divisible by the stride of an encoder's deepest map."""
    sides = tuple(crop.shape[2:])
    if crop.ndim != 5 or any(side % stride for side in sides):
        raise T3DError(
            f"a crop of shape {tuple(crop.shape)} cannot be encoded: it must be (batch, channel, X, Y, Z) "
            f"with every side divisible by {stride}; set crop_size to {some_sides(stride)}"
        )


def some_sides(stride: int, *, least: int = 1) -> str:
    """Sides of crops that an encoder takes, for a message: "32, 64, 96, 128 .."."""
    return ", ".join(str(stride * count) for count in range(least, 5)) + " .."


def _known(family: Backbone, settings: dict[str, Any], *common: str) -> dict[str, Any]:
    every = {option for backbone in BACKBONES.values() for option in backbone.options}
    unknown = sorted(set(settings) - every - set(common))
    if unknown:
        raise T3DError(f"no backbone has the setting {unknown[0]}; {family.name} has {', '.join(family.options)}")
    taken = {*common, *family.options}
    return {name: value for name, value in settings.items() if name in taken and value is not None}
