"""What an encoder's weights say about its architecture, and how two sets of weights differ."""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from t3d.networks.encoders import BACKBONES
from t3d.networks.segres_encoder import DEPTHS
from t3d.weights.names import backbone_of_weights, encoder_name

_FIRST = "swinViT.patch_embed.proj.weight"  # (feature_size, in_channels, patch, patch, patch)
_SEGRES_FIRST = "encoder.conv_init.weight"  # (feature_size, s^3 in_channels, kernel ..), s is the stem's stride
# a CT has one channel: so many are its voxels, folded
_STEMS = {stride**3: stride for stride in DEPTHS}
_SEGRES_BLOCK = re.compile(r"encoder\.layers\.(\d+)\.blocks\.(\d+)\.norm1\.(weight|running_mean)")
_TABLE = re.compile(r"swinViT\.layers(\d)\.0\.blocks\.(\d+)\.attn\.relative_position_bias_table")


def architecture(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Read an encoder's settings from the names and shapes of its weights, under MONAI's names.

    Args:
        state: tensors named ``swinViT.*`` (SwinUNETR) or ``encoder.*`` (SegResNetDS).

    Returns:
        ``backbone``; of a Swin encoder also ``feature_size``, ``in_channels``, ``patch_size``, ``window_size``,
        ``depths`` and ``num_heads``, of a SegRes one ``stem_stride``, ``feature_size``, ``in_channels``, ``depths``
        and ``norm``, as far as names and shapes tell them; unfamiliar weights give fewer, never an error.
    """
    if backbone_of_weights(name for name in state if encoder_name(name) == name) is BACKBONES["segres"]:
        return {"backbone": "segres", **_of_segres(state)}
    found = _of_swin(state)
    return {"backbone": "swin", **found} if found else {}


def _of_segres(state: Mapping[str, Tensor]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if _SEGRES_FIRST in state:
        width, channels = state[_SEGRES_FIRST].shape[:2]
        stride = _STEMS.get(channels, 1)
        # the stem first, since it explains other depths
        found |= {"stem_stride": stride, "feature_size": width, "in_channels": channels // stride**3}
    depths: dict[int, int] = {}
    norm = "instance"
    for match in filter(None, map(_SEGRES_BLOCK.fullmatch, state)):
        stage, block = int(match[1]), int(match[2])
        depths[stage] = max(depths.get(stage, 0), block + 1)
        if match[3] == "running_mean":
            norm = "batch"
    if depths:
        found |= {"depths": [depths[stage] for stage in sorted(depths)], "norm": norm}
    return found


def _of_swin(state: Mapping[str, Tensor]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    spatial = 3
    first = state.get(_FIRST)
    if first is not None and first.ndim >= 3:
        found["feature_size"], found["in_channels"], found["patch_size"] = first.shape[:3]
        spatial = first.ndim - 2
    depths: dict[int, int] = {}
    heads: dict[int, int] = {}
    for name, tensor in state.items():
        match = _TABLE.fullmatch(name)
        if match is None or tensor.ndim != 2:
            continue
        stage, block = int(match[1]), int(match[2])
        depths[stage] = max(depths.get(stage, 0), block + 1)
        rows, heads[stage] = tensor.shape  # one row per offset inside a window: (2 window - 1) ** 3
        found["window_size"] = (round(rows ** (1 / spatial)) + 1) // 2
    if depths:
        found["depths"] = [depths[stage] for stage in sorted(depths)]
        found["num_heads"] = [heads[stage] for stage in sorted(heads)]
    return found


def is_second_swin(state: Mapping[str, Tensor]) -> bool:
    """Whether these are weights of Swin UNETR V2, which has a convolution before each stage (all of VoCo's)."""
    stages = {name[len("swinViT.layers") :][:2] for name in state if name.startswith("swinViT.layers")}
    return stages >= {"1c", "2c", "3c", "4c"}


def mismatch(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], *, shown: int = 3) -> str | None:
    """Say how the tensors of a file differ from those a network needs; None when all names and shapes agree.

    Args:
        found: name -> tensor in the file.
        expected: name -> tensor in the network.
        shown: how many names of each kind are spelt out; the rest are counted.
    """
    missing = [name for name in expected if name not in found]
    unexpected = [name for name in found if name not in expected]
    reshaped = [
        f"{name} {tuple(found[name].shape)} in the file, {tuple(expected[name].shape)} in the network"
        for name in expected
        if name in found and found[name].shape != expected[name].shape
    ]
    kinds = (("missing", missing), ("unexpected", unexpected), ("of another shape", reshaped))
    parts = [f"{len(names)} {kind} ({_some(names, shown)})" for kind, names in kinds if names]
    return "; ".join(parts) or None


def settings_that_differ(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, tuple]:
    """Return setting -> (value in the file, value in the network) for the encoder settings that disagree."""
    theirs, ours = architecture(found), architecture(expected)
    return {key: (theirs[key], ours[key]) for key in ours if key in theirs and theirs[key] != ours[key]}


def _some(names: list[str], shown: int) -> str:
    return ", ".join(names[:shown]) + (f", and {len(names) - shown} more" if len(names) > shown else "")
