"""``t3d.embed``: what the pre-trained encoder sees in a CT."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from monai.transforms import Compose

from t3d.api.ct import CT, open_ct
from t3d.api.model import Model, load
from t3d.bundle.pretrain_steps import padded
from t3d.infer.save_features import map_affine
from t3d.infer.volume_features import VolumeFeatures


@dataclass(frozen=True)
class Scale:
    """What the encoder's own tokens of one stride say; float32 arrays on the CPU.

    Attributes:
        features: (3 C,) their mean, maximum and minimum in each channel.
        map: (C, x, y, z) the tokens in their places.
        affine: (4, 4) from voxels of ``map`` to millimetres in RAS.
    """

    features: np.ndarray
    map: np.ndarray
    affine: np.ndarray


@dataclass(frozen=True)
class Embedding:
    """What an encoder says of a whole CT; float32 arrays on the CPU.

    Attributes:
        vector: (D,) unit vector, for retrieval and comparison.
        features: (k C,) mean of the encoder's tokens, and beside it their extremes where the network pools them: what
            a linear probe reads.
        map: (C, x, y, z) the tokens in their places.
        affine: (4, 4) from voxels of ``map`` to millimetres in RAS.
        scales: stride -> what the encoder's own tokens of that stride say, for those that were asked for.
    """

    vector: np.ndarray
    features: np.ndarray
    map: np.ndarray
    affine: np.ndarray
    scales: dict[int, Scale] = field(default_factory=dict)


def embed(
    ct: CT,
    model: str | Path | Model,
    *,
    device: str | torch.device | None = None,
    sw_batch_size: int = 4,
    scales: Sequence[int] | None = None,
) -> Embedding:
    """Embed a CT at full resolution, by sliding windows.

    Args:
        ct: a path (NIfTI file or DICOM folder), a nibabel image, or a tuple of an array in HU and its affine.
        model: a pre-trained encoder: folder, bundle, zip, or what ``t3d.load`` gave (do that for many CTs).
        device: see ``t3d.load``.
        sw_batch_size: windows at a time.
        scales: strides of the encoder's maps that are read besides, such as (8, 16, 32): voxels a side of a token.

    Raises:
        T3DError: the CT or the model cannot be used, or the encoder has no map of a stride.
    """
    model = load(model, device=device)
    model.must_be("encoder", "t3d.embed")
    steps = Compose([model.preprocessing, *padded(model.crop_size)])
    image = steps({"image": open_ct(ct)})["image"]
    inferer = VolumeFeatures(
        crop_size=model.crop_size,
        sw_batch_size=sw_batch_size,
        scales=scales,
        of_body=getattr(model.network, "volume_head", None) is not None,
    )
    with model.running():
        found = inferer(image.as_tensor().unsqueeze(0).to(model.device), model.network)
    arrays = {name: value[0].float().cpu().numpy() for name, value in found.items()}

    def affine(stride: int) -> np.ndarray:
        return map_affine(torch.as_tensor(image.affine).double(), stride=stride).numpy()

    return Embedding(
        vector=arrays["embedding"],
        features=arrays["features"],
        map=arrays["map"],
        affine=affine(image.shape[1] // arrays["map"].shape[1]),
        scales={
            scale: Scale(features=arrays[f"features_{scale}"], map=arrays[f"map_{scale}"], affine=affine(scale))
            for scale in inferer.scales
        },
    )
