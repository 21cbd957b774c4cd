"""The record beside weights: one format for ``encoder.json``, ``model.json`` and ``export.json``.

``{"format": "t3d", "format_version": 2, "kind", "t3d", "monai", "torch", "files": {name: SHA-256}, ..,
"network": {..}, "preprocessing": {..}}``, with ``amp_dtype``, ``text`` (settings of the text encoder), ``labels`` or
``findings`` and ``recipe`` where the training has them. Settings only: no report, no case, no patient.

Version 1 is what t3d 0.1 wrote: the same without ``format``, ``kind`` and ``amp_dtype``. The version's name is still
``format_version``, so that t3d 0.1 says which version it cannot read.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import monai
import numpy as np
import torch

import t3d
from t3d.errors import T3DError
from t3d.files import read_json, sha256
from t3d.networks.encoders import own_settings

logger = logging.getLogger(__name__)

FORMAT = "t3d"
FORMAT_VERSION = 2
# kind of the weights -> what a record of it is called in messages; "model" is a network of neither task
KINDS = {
    "encoder": "encoder record",
    "segmentation": "model record",
    "classification": "model record",
    "model": "model record",
    "export": "record of an export",
}
ENCODER, MODEL, EXPORT = ("encoder",), ("segmentation", "classification", "model"), ("export",)
_AMP = {"float16": torch.float16, "bfloat16": torch.bfloat16}


def new_record(kind: str, *, files: Mapping[str, str], record: Mapping[str, Any]) -> dict[str, Any]:
    """Build the content of a record.

    Args:
        kind: one of ``KINDS``.
        files: file name -> SHA-256 of what the record stands beside.
        record: ``network``, ``preprocessing`` (``spacing`` in mm, ``orientation``, ``hu_range``, ``crop_size`` in
            voxels) and what else JSON can hold. Of ``network`` what only another backbone has is left out.
    """
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r} is none of {', '.join(KINDS)}")
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "kind": kind,
        "t3d": t3d.__version__,
        "monai": monai.__version__,
        "torch": torch.__version__,
        "files": dict(files),
        **{key: value for key, value in record.items() if key not in ("network", "preprocessing")},
        "network": own_settings(record.get("network", {})),
        "preprocessing": dict(record.get("preprocessing", {})),
    }


def read_record(
    path: Path, *, kinds: tuple[str, ...], remedy: str = "copy it again with its weights", absent: str | None = None
) -> dict[str, Any]:
    """Read a record of this format or of t3d 0.1, in the form of this format.

    Args:
        path: of the record.
        kinds: which kinds will do: ``ENCODER``, ``MODEL`` or ``EXPORT``.
        remedy: what to do about a damaged one.
        absent: what to do where there is none.

    Raises:
        T3DError: none, a damaged one, one of a newer format, or of other weights than are wanted.
    """
    content = read_json(path, what=KINDS[kinds[0]], remedy=remedy, absent=absent)
    version = content.get("format_version", 1)
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise T3DError(
            f"{path} has format version {version}, this t3d reads up to {FORMAT_VERSION}; install a newer t3d."
        )
    parts = {
        name: content.get(name) for name in ("network", "preprocessing", *(["weights"] if kinds == EXPORT else []))
    }
    parts["files"] = content.get("files", {})
    wrong = [name for name, part in parts.items() if not isinstance(part, dict)]
    if wrong:
        raise T3DError(f'{path} is no {KINDS[kinds[0]]}: it has no object "{wrong[0]}"; {remedy}')
    kind = content.get("kind") or (kinds[0] if kinds != MODEL else model_kind(content))
    if kind not in kinds:
        raise T3DError(f"{path} is no {KINDS[kinds[0]]}: it describes weights of kind {kind}; {remedy}")
    return {**content, **parts, "format": FORMAT, "format_version": FORMAT_VERSION, "kind": kind}


def model_kind(record: Mapping[str, Any]) -> str:
    """What a model with these settings does: it has ``labels``, ``findings``, or neither."""
    return "segmentation" if "labels" in record else "classification" if "findings" in record else "model"


def describes(record: Mapping[str, Any], weights: Path, *, name: str) -> bool:
    """Whether a record speaks of a file that lies beside it.

    Args:
        record: content of the record.
        weights: the file.
        name: of the record, for the message.

    Raises:
        T3DError: it does, but of other bytes.
    """
    expected = record["files"].get(weights.name)
    if expected is None:
        return False
    actual = sha256(weights)
    if actual != expected:
        raise T3DError(
            f"{weights} is not the file that {name} describes: it has sha256 {actual[:12]}.., and {name} beside it "
            f"says {expected[:12]}..; it is damaged or of another training. Copy both again from where they were made."
        )
    return True


def settings_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of network, preprocessing and text in one dict, with ``labels``, ``findings`` and ``amp_dtype``."""
    named = {key: record[key] for key in ("labels", "findings", "amp_dtype") if key in record}
    # classifiers of t3d 0.1 knew one way of pooling, and did not say so
    older = {"pooling": "attention"} if record.get("kind") == "classification" else {}
    return {**older, **record["network"], **record["preprocessing"], **(record.get("text") or {}), **named}


def recorded_amp_dtype(record: Mapping[str, Any]) -> torch.dtype:
    """The dtype that inference autocasts to: the training's, so that both round alike.

    Without one in the record (t3d 0.1, or a training without autocast) it is what a training would take here:
    bfloat16, or float16 on a GPU that has no bfloat16.

    Args:
        record: content of a record, or its settings; may be empty.

    Raises:
        T3DError: the record names a dtype that is none of autocast's.
    """
    name = record.get("amp_dtype")
    if name is not None and name not in _AMP:
        raise T3DError(f"the record's amp_dtype is {name!r}; it must be one of {', '.join(_AMP)}")
    lacking = torch.cuda.is_available() and not torch.cuda.is_bf16_supported()
    if name == "bfloat16" and lacking:
        logger.warning(
            "the weights were trained with bfloat16, which this GPU does not have: float16 is taken instead"
        )
        return torch.float16
    return _AMP[name or ("float16" if lacking else "bfloat16")]


def compare_preprocessing(record: dict | None, wanted: Mapping[str, Any], *, path: Path, ignore: bool = False) -> None:
    """Compare how images were prepared for weights with how they will be prepared now.

    Args:
        record: content of the record; None (weights from elsewhere) cannot be compared and is logged.
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
        raise T3DError(
            f"{message}. Prepare the images alike, or, if it is meant, pass --ignore_preprocessing True "
            "(in Python ignore_preprocessing=True)"
        )
    logger.warning("%s (ignored as asked)", message)


def same_value(one: Any, other: Any) -> bool:
    """Compare two settings; one number stands for the same number on every axis."""
    if one is None or other is None:  # numpy would take None for NaN, which equals nothing
        return one is other
    try:
        return bool(np.allclose(np.asarray(one, dtype=float), np.asarray(other, dtype=float), rtol=0, atol=1e-6))
    except (TypeError, ValueError):  # names such as "RAS", or vectors of different lengths
        return one == other
