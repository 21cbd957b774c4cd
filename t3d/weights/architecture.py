"""What an encoder's weights say about its architecture, and how two sets of weights differ."""

import re
from collections.abc import Mapping

from torch import Tensor

_FIRST = "swinViT.patch_embed.proj.weight"  # (feature_size, in_channels, patch, patch, patch)
_TABLE = re.compile(r"swinViT\.layers(\d)\.0\.blocks\.(\d+)\.attn\.relative_position_bias_table")


def architecture(state: Mapping[str, Tensor]) -> dict[str, int | list[int]]:
    """Read a Swin encoder's settings from the shapes of its weights, under the names of ``SwinUNETR``.

    Args:
        state: tensors named ``swinViT.*``.

    Returns:
        ``feature_size``, ``in_channels``, ``patch_size``, ``window_size``, ``depths`` and ``num_heads``, as
        far as names and shapes tell them; unfamiliar weights give fewer, never an error.
    """
    found: dict[str, int | list[int]] = {}
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
