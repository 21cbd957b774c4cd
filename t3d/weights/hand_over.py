"""Hand-over of weights between stages: all of the encoder arrives, or an error says what is wrong.

Encoder weights carry the names of MONAI's segmentation networks (``swinViT.*`` of SwinUNETR, ``encoder.*`` of
SegResNetDS), so these load what T3D saves, and published pre-training weights of them load into T3D.
"""

import io
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from t3d.atomic import write_atomically
from t3d.errors import T3DError
from t3d.files import json_bytes, sha256
from t3d.networks.encoders import BACKBONES, Backbone, backbone_of
from t3d.weights.architecture import is_second_swin, mismatch, settings_that_differ
from t3d.weights.encoder_record import RECORD_NAME, make_record, verified_record
from t3d.weights.names import backbone_of_weights, encoder_part
from t3d.weights.record import compare_preprocessing
from t3d.weights.state_files import read_state

logger = logging.getLogger(__name__)


def encoder_state(network: nn.Module) -> dict[str, Tensor]:
    """Return a copy, on the CPU, of a network's encoder under MONAI's names (``swinViT.*`` or ``encoder.*``).

    Raises:
        T3DError: the network has no encoder of a known backbone.
    """
    backbone, encoder = _encoder(network)
    return _snapshot(encoder.state_dict(prefix=backbone.prefix))


def save_encoder(
    network: nn.Module, folder: str | Path, *, record: Mapping[str, Any], beside: Mapping[str, bytes] | None = None
) -> dict:
    """Write ``encoder.pt``, ``encoder.safetensors`` and, last, ``encoder.json`` into a folder.

    Args:
        network: any network with an encoder of ``t3d.networks.encoders``.
        folder: made if absent; earlier files of these names are replaced.
        record: what the training knows, above all ``preprocessing``; see ``t3d.weights.encoder_record.make_record``.
        beside: file name -> content of what is written along with them and named in the record too.

    Returns:
        The content of ``encoder.json``.

    Raises:
        T3DError: a file could not be written (the earlier ones survive), or the record contradicts
            the weights.
    """
    folder = Path(folder)
    state = encoder_state(network)
    weights = {"encoder.pt": _pickled(state), "encoder.safetensors": safetensors.torch.save(state), **(beside or {})}
    hashes = {name: sha256(content) for name, content in weights.items()}
    content = make_record(state, files=hashes, record=record)
    files = {**weights, RECORD_NAME: json_bytes(content)}
    write_atomically({folder / name: data for name, data in files.items()})
    logger.info("saved the encoder (%d tensors) to %s", len(state), folder)
    return content


def read_encoder(path: str | Path) -> tuple[dict[str, Tensor], dict | None]:
    """Read encoder weights: T3D's files, a whole network's state dict, or Swin UNETR's own pre-training.

    Known layouts: ``swinViT.*`` (MONAI), ``swin_vit.*`` and bare ``patch_embed.* / layers1.*`` (the published
    pre-training, what ``SwinUNETR.load_from`` takes), each below ``module.``, ``model.`` or ``backbone.`` (SuPreM)
    and nested under ``state_dict``, ``model`` or ``net``; ``mlp.fc1 / fc2`` become ``mlp.linear1 / linear2``. Of
    SegRes encoders ``encoder.*`` (MONAI's SegResNetDS) and bare ``conv_init.* / layers.0.*`` (SegResEncoder, as
    CT-FM's).

    Returns:
        The tensors under MONAI's names, and the content of an ``encoder.json`` beside the file that names it
        (else None).

    Raises:
        T3DError: no checkpoint, a truncated one, one whose checksum differs from its record, one without an
            encoder or with two, or one with NaN or infinite weights.
    """
    path = Path(path)
    record = verified_record(path) if path.is_file() else None
    encoder, others = encoder_part(read_state(path), path=path)
    if not encoder:
        raise T3DError(
            f"{path} holds no encoder: none of its {len(others)} entries is named swinViT.*, swin_vit.*, "
            f"patch_embed.* (Swin) or encoder.conv_init.* (SegRes), the first is {others[0]}; choose an "
            "encoder.pt, or a checkpoint of Swin UNETR or SegResNet."
        )
    broken = [name for name, tensor in encoder.items() if not tensor.isfinite().all()]
    if broken:
        raise T3DError(
            f"{path}: {len(broken)} encoder tensors hold NaN or infinite values (the first is {broken[0]}); "
            "the training that made them diverged, choose an earlier checkpoint."
        )
    if others:
        logger.info("%s: %d entries beside the encoder left aside", path, len(others))
    return encoder, record


def load_encoder(
    network: nn.Module,
    path: str | Path,
    *,
    check_preprocessing: Mapping[str, Any] | None = None,
    ignore_preprocessing: bool = False,
) -> nn.Module:
    """Load all encoder weights into a network's encoder, or change nothing and raise.

    Args:
        network: a T3D network, or MONAI's SwinUNETR or SegResNetDS.
        path: see ``read_encoder``.
        check_preprocessing: settings that must be those of the pre-training, e.g. ``{"orientation": "RAS",
            "spacing": [0.75, 0.75, 1.5], "hu_range": [-1000, 1000]}``.
        ignore_preprocessing: log a difference in them instead of raising.

    Returns:
        The network.

    Raises:
        T3DError: as ``read_encoder``; the file is of another backbone; a tensor is missing, unexpected or of another
            shape; or the images of the pre-training were prepared otherwise.
    """
    path = Path(path)
    backbone, encoder = _encoder(network)
    expected = encoder.state_dict(prefix=backbone.prefix)
    found, record = read_encoder(path)
    theirs = backbone_of_weights(found)
    if theirs is None:
        raise T3DError(f"{path} holds no encoder that is known here: choose other weights; nothing was loaded.")
    if theirs is not backbone:
        raise T3DError(
            f"{path} holds a {theirs.name} encoder, but this network has a {backbone.name} one: choose weights of "
            f"{backbone.name}, or build the network with backbone {theirs.name}; nothing was loaded."
        )
    if is_second_swin(found) > is_second_swin(expected):
        raise T3DError(
            f"{path} holds a Swin UNETR V2 encoder (use_v2, with layers1c.*), this network a Swin UNETR one: choose "
            "weights of the first version, or of this package; nothing was loaded."
        )
    _must_fit(found, expected, path=path, what="the encoder of this network")
    if check_preprocessing:
        compare_preprocessing(record, check_preprocessing, path=path, ignore=ignore_preprocessing)
    encoder.load_state_dict({name.removeprefix(backbone.prefix): tensor for name, tensor in found.items()})
    logger.info("loaded all %d encoder tensors from %s (sha256 %s)", len(found), path, sha256(path))
    return network


def save_network(network: nn.Module, path: str | Path) -> None:
    """Write a network's plain state dict, on the CPU; the earlier file survives a failure.

    Raises:
        T3DError: the file could not be written.
    """
    state = _snapshot(unwrapped(network).state_dict())
    write_atomically({Path(path): lambda file: torch.save(state, file)})


def network_bytes(network: nn.Module) -> bytes:
    """The file of a network's plain state dict, on the CPU."""
    return _pickled(_snapshot(unwrapped(network).state_dict()))


def load_network(network: nn.Module, path: str | Path) -> nn.Module:
    """Load a whole state dict strictly, or change nothing and raise.

    Args:
        network: the network to fill.
        path: a .pt or .safetensors file with the state dict, plain or nested under ``model``/``state_dict``.

    Returns:
        The network.

    Raises:
        T3DError: no checkpoint, or one of another architecture.
    """
    path, target = Path(path), unwrapped(network)
    found = read_state(path)
    if all(name.startswith("module.") for name in found):
        found = {name.removeprefix("module."): tensor for name, tensor in found.items()}
    _must_fit(found, target.state_dict(), path=path, what="this network")
    target.load_state_dict(found)
    logger.info("loaded all %d tensors from %s (sha256 %s)", len(found), path, sha256(path))
    return network


def unwrapped(network: nn.Module) -> nn.Module:
    """The network itself, where it is wrapped for training on several devices."""
    parallel = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    return network.module if isinstance(network, parallel) else network


def _encoder(network: nn.Module) -> tuple[Backbone, nn.Module]:
    network = unwrapped(network)
    found = backbone_of(network)
    if found is None:
        names = " or ".join(backbone.attribute for backbone in BACKBONES.values())
        raise T3DError(
            f"{type(network).__name__} has no encoder named {names}; use a T3D network, or MONAI's SwinUNETR "
            "or SegResNetDS."
        )
    return found


def _pickled(state: Mapping[str, Tensor]) -> bytes:
    file = io.BytesIO()
    torch.save(dict(state), file)
    return file.getvalue()


def _snapshot(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    # a tensor of its own each: safetensors refuses shared or strided memory
    return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in state.items()}


def _must_fit(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], *, path: Path, what: str) -> None:
    difference = mismatch(found, expected)
    if difference is None:
        return
    settings = settings_that_differ(found, expected)
    remedy = (
        "Build the network with the file's " + ", ".join(f"{key} {theirs}" for key, (theirs, _) in settings.items())
        if settings
        else "Build the network as the file's was built"
    )
    values = "".join(f"{key} is {theirs} there and {ours} here; " for key, (theirs, ours) in settings.items())
    raise T3DError(
        f"{path} is a checkpoint of another architecture than {what}: {values}{difference}. "
        f"{remedy}, or choose another file; nothing was loaded."
    )
