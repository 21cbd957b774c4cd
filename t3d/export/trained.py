"""A bundle's trained network, read as the bundle's own inference reads it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from monai.networks.nets import SegResNetDS, SwinUNETR
from monai.utils import ensure_tuple_rep
from torch import Tensor, nn

from t3d.errors import T3DError
from t3d.files import sha256
from t3d.networks.encoders import own_settings
from t3d.networks.pretrain import PretrainNetwork
from t3d.networks.volume_classifier import RECORDED, VolumeClassifier
from t3d.networks.window_grid import window_starts
from t3d.triple import triple
from t3d.weights import load_model, load_pretrained

PREPROCESSING = ("spacing", "orientation", "hu_range", "crop_size")
# of which the record keeps what the backbone has
_ENCODER = ("backbone", "feature_size", "window_size", "norm", "stem_stride")
# which settings of inference.json describe the network of each bundle, as in its record of the training
NETWORK: dict[type, tuple[str, ...]] = {
    SwinUNETR: _ENCODER,
    SegResNetDS: _ENCODER,
    VolumeClassifier: RECORDED,
}


@dataclass(frozen=True)
class Trained:
    """A network with its weights, and what somebody must know who uses it elsewhere.

    Attributes:
        network: in evaluation mode, on the CPU.
        settings: ``network`` and ``preprocessing``, and ``labels`` (segmentation) or ``findings`` and ``thresholds``
            (classification).
        weights: file name -> SHA-256.
        prepare: path of a CT -> (1, X, Y, Z), prepared as for the network.
    """

    network: nn.Module
    settings: dict[str, Any]
    weights: dict[str, str]
    prepare: Callable[[str], Tensor]


def read_trained(bundle_root: str | Path, *, ckpt_dir: str | Path | None = None) -> Trained:
    """Build the network of ``configs/inference.json`` and load ``model.pt`` into it.

    Args:
        bundle_root: folder of the bundle.
        ckpt_dir: folder with ``model.pt`` and its record; the bundle's ``models`` if not given.

    Raises:
        T3DError: no bundle, no weights, or weights of another architecture.
    """
    root = Path(bundle_root)
    folder = Path(ckpt_dir) if ckpt_dir is not None else root / "models"
    config, weights = root / "configs" / "inference.json", folder / "model.pt"
    if not config.is_file():
        raise T3DError(f"{root} is no bundle: it has no configs/inference.json; give --bundle_root a bundle's folder.")
    if not weights.is_file():
        raise T3DError(f"there is no {weights}; train the bundle first, or give --ckpt_dir the folder of a training.")
    parser = ConfigParser()
    parser.read_config(str(config))
    parser["bundle_root"], parser["ckpt_dir"] = str(root), str(folder)
    parser.parse()
    network = parser.get_parsed_content("network_def")
    kind = next((kind for kind in (*NETWORK, PretrainNetwork) if isinstance(network, kind)), None)
    if kind is None:
        raise T3DError(f"{config} makes a {type(network).__name__}, which t3d export does not know.")
    (load_pretrained if kind is PretrainNetwork else load_model)(network, weights)

    def values(names: tuple[str, ...]) -> dict[str, Any]:
        return {name: parser.get_parsed_content(name) for name in names}

    described = values(NETWORK[kind]) if kind in NETWORK else parser.get_parsed_content("network_settings")
    settings: dict[str, Any] = {"network": own_settings(described), "preprocessing": values(PREPROCESSING)}
    if kind in (SwinUNETR, SegResNetDS):
        settings["labels"] = parser.get_parsed_content("labels")
    if kind is VolumeClassifier:
        settings["findings"] = parser.get_parsed_content("finding_names")
        settings["thresholds"] = parser.get_parsed_content("thresholds")
    preprocessing = parser.get_parsed_content("preprocessing")

    def prepare(image: str) -> Tensor:
        item = {"case_id": Path(image).name, "patient_id": "", "image": image}
        return torch.as_tensor(preprocessing(item)["image"]).as_subclass(Tensor)

    return Trained(network.eval(), settings, {weights.name: sha256(weights)}, prepare)


def windows_of(volume: Tensor, *, crop_size: int | list[int], most: int = 4) -> Tensor:
    """The windows of a volume that show most of a body.

    Args:
        volume: (1, X, Y, Z), intensities in [0, 1]; a side shorter than the window is padded with air.
        crop_size: window side in voxels, one number or three.
        most: how many.

    Returns:
        (M, 1, s, s, s).
    """
    sides = triple(ensure_tuple_rep(crop_size, 3))
    lacking = [max(0, wide - side) for side, wide in zip(volume.shape[1:], sides, strict=True)]
    volume = nn.functional.pad(volume, [pad for lack in reversed(lacking) for pad in (0, lack)])
    starts = window_starts(tuple(volume.shape[1:]), sides, overlap=0.0).tolist()
    places = [(slice(None), *(slice(a, a + n) for a, n in zip(start, sides, strict=True))) for start in starts]
    windows = torch.stack([volume[place] for place in places])
    order = windows.flatten(1).mean(dim=1).argsort(descending=True, stable=True)
    return windows[order[:most]]
