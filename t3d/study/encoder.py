"""What an encoder, as it was handed over, sees in whole volumes: the features that a linear probe reads."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from t3d.bundle.steps import volume_steps
from t3d.errors import T3DError
from t3d.networks.encoders import build_encoder, find_backbone
from t3d.networks.token_pooling import pool_tokens, pool_windows
from t3d.networks.volume_windows import VolumeWindows
from t3d.weights import load_encoder, read_encoder
from t3d.weights.architecture import architecture

OVERLAP, BODY_LEVEL, BODY_SHARE, WINDOWS = 0.25, 0.2, 0.05, 4


class PooledTokens(VolumeWindows):
    """Mean, greatest and least of every channel over the tokens of a volume, at several strides.

    Mean pooling alone hides what is small: mean | max | min is what few labels can read (ours, measured on phantoms).

    Args:
        network: has an encoder under the name of its backbone.
        attribute: that name.
        strides: voxels a side of the tokens that are read.
        crop_size: of the windows.
    """

    def __init__(self, network: nn.Module, attribute: str, *, strides: Sequence[int], crop_size: Any) -> None:
        super().__init__(
            crop_size=crop_size,
            overlap=OVERLAP,
            sw_batch_size=WINDOWS,
            body_level=BODY_LEVEL,
            body_share=BODY_SHARE,
        )
        self.encoder = network.get_submodule(attribute)
        self.strides = tuple(strides)

    def encode(self, windows: Tensor) -> Tensor:
        """(N, 3, C) of windows (N, s, s, s) as (N, 3C), C channels over all strides."""
        maps = self.encoder(windows.unsqueeze(1), strides=self.strides)
        return pool_tokens(maps)

    def read(self, volume: Tensor) -> Tensor:
        """(3C,) of a whole volume (X, Y, Z): of its windows that show more than air."""
        return pool_windows(*self.window_features(volume))[0]


def load_pooled(weights: Path, *, strides: Sequence[int], device: torch.device) -> tuple[PooledTokens, Mapping]:
    """The encoder of a pre-training with its windows, and how images are prepared for it.

    Raises:
        T3DError: no encoder with a record, or it has no tokens of a stride.
    """
    state, record = read_encoder(weights)
    if record is None:
        raise T3DError(f"{weights} has no record beside it that says how its images were prepared; train it again")
    settings = architecture(state)
    family = find_backbone(settings["backbone"])
    known = {name: value for name, value in settings.items() if name not in ("backbone", "patch_size")}
    holder = nn.Module()
    encoder = build_encoder(family.name, **known)
    missing = [stride for stride in strides if stride not in encoder.strides]
    if missing:
        raise T3DError(f"the encoder has no tokens of {missing[0]} voxels a side; strides may be {encoder.strides}")
    holder.add_module(family.attribute, encoder)
    load_encoder(holder, weights)
    preprocessing = record["preprocessing"]
    pooled = PooledTokens(holder, family.attribute, strides=strides, crop_size=preprocessing["crop_size"])
    return pooled.eval().to(device), preprocessing


def read_volumes(weights: Path, items: Iterable[Mapping[str, Any]], *, strides: Sequence[int]) -> np.ndarray:
    """Features (N, 3C) of volumes, float32.

    Args:
        weights: ``encoder.safetensors`` with its record.
        items: with ``case_id`` and ``image``.
        strides: see ``PooledTokens``.
    """
    device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    network, preprocessing = load_pooled(weights, strides=strides, device=device)
    prepare = volume_steps({key: preprocessing[key] for key in ("spacing", "orientation", "hu_range")})  # type: ignore[arg-type]
    rows = []
    with torch.inference_mode():
        for item in items:
            volume = prepare({"case_id": item["case_id"], "image": item["image"]})["image"]
            rows.append(network.read(volume[0].to(device)).float().cpu().numpy())
    return np.stack(rows)
