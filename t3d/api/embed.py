"""``t3d.embed``: what the pre-trained encoder sees in a CT."""

from dataclasses import dataclass
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
class Embedding:
    """What an encoder says of a whole CT; float32 arrays on the CPU.

    Attributes:
        vector: (D,) unit vector, for retrieval and comparison.
        features: (C,) mean of the encoder's deepest tokens, what a linear probe reads.
        map: (C, x, y, z) the tokens in their places.
        affine: (4, 4) from voxels of ``map`` to millimetres in RAS.
    """

    vector: np.ndarray
    features: np.ndarray
    map: np.ndarray
    affine: np.ndarray


def embed(
    ct: CT, model: str | Path | Model, *, device: str | torch.device | None = None, sw_batch_size: int = 4
) -> Embedding:
    """Embed a CT at full resolution, by sliding windows.

    Args:
        ct: a path (NIfTI file or DICOM folder), a nibabel image, or a tuple of an array in HU and its affine.
        model: a pre-trained encoder: folder, bundle, zip, or what ``t3d.load`` gave (do that for many CTs).
        device: see ``t3d.load``.
        sw_batch_size: windows at a time.

    Raises:
        T3DError: the CT or the model cannot be used.
    """
    model = load(model, device=device)
    model.must_be("encoder", "t3d.embed")
    steps = Compose([model.preprocessing, *padded(model.crop_size)])
    image = steps({"image": open_ct(ct)})["image"]
    inferer = VolumeFeatures(crop_size=model.crop_size, sw_batch_size=sw_batch_size)
    with model.running():
        found = inferer(image.as_tensor().unsqueeze(0).to(model.device), model.network)
    arrays = {name: found[name][0].float().cpu().numpy() for name in ("embedding", "features", "map")}
    stride = image.shape[1] // arrays["map"].shape[1]
    affine = map_affine(torch.as_tensor(image.affine).double(), stride=stride).numpy()
    return Embedding(vector=arrays["embedding"], features=arrays["features"], map=arrays["map"], affine=affine)
