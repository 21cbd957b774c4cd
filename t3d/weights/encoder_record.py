"""encoder.json: what stands beside saved encoder weights, so that nobody must guess where they come from."""

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import monai
import numpy as np
import torch
from torch import Tensor

import t3d
from t3d.errors import T3DError
from t3d.weights.architecture import architecture

logger = logging.getLogger(__name__)

RECORD_NAME = "encoder.json"
FORMAT_VERSION = 1


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def make_record(state: Mapping[str, Tensor], *, files: Mapping[str, str], record: Mapping[str, Any]) -> dict:
    """Build the content of ``encoder.json``.

    Args:
        state: the encoder's tensors, ``swinViT.*``.
        files: file name -> SHA-256.
        record: what the training adds: ``preprocessing`` (``spacing`` in mm, ``orientation``, ``hu_range``,
            ``crop_size`` in voxels), ``network`` (settings beyond those that the weights tell), and what
            else JSON can hold.

    Raises:
        T3DError: ``record["network"]`` contradicts the shapes of the weights.
    """
    network = architecture(state)
    for key, value in record.get("network", {}).items():
        if key in network and not same_value(network[key], value):
            raise T3DError(
                f"the record says {key} {value}, but the weights have {network[key]}; "
                f"pass the {key} that the network was built with."
            )
        network.setdefault(key, value)
    return {
        "format_version": FORMAT_VERSION,
        "t3d": t3d.__version__,
        "monai": monai.__version__,
        "torch": torch.__version__,
        "files": dict(files),
        "tensors": len(state),
        "parameters": sum(tensor.numel() for tensor in state.values() if tensor.is_floating_point()),
        **{key: value for key, value in record.items() if key not in ("network", "preprocessing")},
        "network": network,
        "preprocessing": dict(record.get("preprocessing", {})),
    }


def verified_record(path: Path) -> dict | None:
    """Return the record that stands beside a weights file, or None when none speaks of this file.

    Raises:
        T3DError: the record cannot be read, or the file is not the one it was written for.
    """
    record = _record_in(path.parent)
    expected = record["files"].get(path.name) if record else None
    if expected is None:
        return None
    actual = sha256(path)
    if actual != expected:
        raise T3DError(
            f"{path} has sha256 {actual[:12]}.., but {RECORD_NAME} beside it says {expected[:12]}..: the "
            "file is damaged or from another training. Copy both files again from where they were made."
        )
    return record


def compare_preprocessing(record: dict | None, wanted: Mapping[str, Any], *, path: Path, ignore: bool = False) -> None:
    """Compare how images were prepared for the encoder with how they will be prepared now.

    Args:
        record: content of ``encoder.json``; None (weights from elsewhere) cannot be compared and is logged.
        wanted: the settings that must agree, e.g. ``{"hu_range": [-1000, 1000]}``.
        path: the weights file, for the message.
        ignore: log a difference as a warning instead.

    Raises:
        T3DError: a setting differs.
    """
    recorded = (record or {}).get("preprocessing", {})
    unknown = [key for key in wanted if key not in recorded]
    if unknown:
        logger.warning("%s does not say its %s: not compared with yours", path, ", ".join(unknown))
    different = [
        f"{key} {recorded[key]} there, {value} here"
        for key, value in wanted.items()
        if key in recorded and not same_value(recorded[key], value)
    ]
    if not different:
        return
    message = f"{path} was trained on images prepared otherwise: {'; '.join(different)}"
    if not ignore:
        raise T3DError(f"{message}. Prepare the images alike, or pass ignore_preprocessing=True if it is meant.")
    logger.warning("%s (ignored as asked)", message)


def same_value(one: Any, other: Any) -> bool:
    """Compare two settings; one number stands for the same number on every axis."""
    try:
        return bool(np.allclose(np.asarray(one, dtype=float), np.asarray(other, dtype=float), rtol=0, atol=1e-6))
    except (TypeError, ValueError):  # names such as "RAS", or vectors of different lengths
        return one == other


def recorded_settings(folder: str | Path) -> dict[str, Any]:
    """Return the network, preprocessing and text settings of a folder's ``encoder.json``, in one dict.

    Inference takes its settings from here, so that it matches whatever was trained. Without a record it is
    empty: the configuration's own defaults hold.

    Raises:
        T3DError: the record cannot be read.
    """
    record = _record_in(Path(folder))
    if record is None:
        logger.info("no %s in %s: the defaults of the full-size recipe hold", RECORD_NAME, folder)
        return {}
    # the one number of the recipe that inference needs: what zero-shot scores divide their cosines by
    temperature = {key: value for key, value in record.get("recipe", {}).items() if key == "temperature"}
    return {**record["network"], **record["preprocessing"], **record.get("text", {}), **temperature}


def _record_in(folder: Path) -> dict | None:
    path = folder / RECORD_NAME
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        version = record["format_version"]
        parts = [record["files"], record["network"], record["preprocessing"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise T3DError(f"{path} is no encoder record or is damaged; copy it again with its weights.") from error
    if version != FORMAT_VERSION:
        raise T3DError(f"{path} has format version {version}, this t3d reads {FORMAT_VERSION}; install another t3d.")
    if not all(isinstance(part, dict) for part in parts):
        raise T3DError(f"{path} is no encoder record or is damaged; copy it again with its weights.")
    return record
