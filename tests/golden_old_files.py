"""Files as version 0.1 left them, without their megabytes: the structure is committed, a rule fills the tensors.

``golden/v0_1/`` holds what the trainings of ``golden_runs`` left at version 0.1: of each bundle
``STAGE_checkpoint.json`` (``describe`` of its ``checkpoint_epoch=1.pt``: names, shapes, kinds and all that is no
tensor) and its record (``encoder.json`` or ``model.json``), and ``store.zip``, two prepared cases. They must never be
made anew with later code: a checkpoint that today's code describes says nothing about yesterday's.
"""

import hashlib
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from golden_values import GOLDEN, seeded
from torch import Tensor

OLD = GOLDEN / "v0_1"
_SHAPE = re.compile(r"(float32)\[([\d,]*)\]")


def describe(content: Any) -> Any:
    """The structure of a checkpoint as JSON.

    A float tensor becomes ``"float32[2,3]"``, any other one ``{"int64": values}``; dictionaries with numbers as keys
    (of an optimizer's state) are recognised by their keys.
    """
    if isinstance(content, Tensor):
        if content.dtype == torch.float32 and content.ndim:
            return f"float32[{','.join(map(str, content.shape))}]"
        return {str(content.dtype).removeprefix("torch."): content.tolist()}
    if isinstance(content, dict):
        return {str(key): describe(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [describe(value) for value in content]
    return content


def filled(structure: Any, place: str = "") -> Any:
    """The checkpoint of a structure, its tensors filled by their places' names."""
    if isinstance(structure, str) and (found := _SHAPE.fullmatch(structure)):
        return _tensor(place, tuple(int(size) for size in found[2].split(",")))
    if isinstance(structure, dict):
        if len(structure) == 1 and (kind := next(iter(structure))) in ("int64", "float32"):
            return torch.tensor(structure[kind], dtype=getattr(torch, kind))
        return {
            int(key) if key.isdigit() else key: filled(value, f"{place}.{key}".removeprefix("."))
            for key, value in structure.items()
        }
    if isinstance(structure, list):
        return [filled(value, f"{place}.{number}") for number, value in enumerate(structure)]
    return structure


def _tensor(place: str, shape: tuple[int, ...]) -> Tensor:
    values = seeded(place, shape)
    if place.endswith("exp_avg_sq"):
        # far above the square of a gradient that is nothing but rounding, which would else make a whole step
        values = 1e-8 * (1.5 + values)
    elif place.endswith("exp_avg"):
        values = 1e-4 * values
    elif len(shape) > 1:
        values = values * (3 / np.prod(shape[1:])) ** 0.5
    else:  # biases are small, factors of a norm near 1
        values = 0.1 * values + (1.0 if place.endswith("weight") else 0.0)
    return torch.tensor(values, dtype=torch.float32)


def _structure(stage: str) -> dict:
    return json.loads((OLD / f"{stage}_checkpoint.json").read_text())


def old_checkpoint(stage: str, folder: Path) -> Path:
    """Write a checkpoint of version 0.1 as the first epoch's in ``folder/models``, and the best model; the folder."""
    models = folder / "models"
    models.mkdir(parents=True)
    content = filled(_structure(stage))
    torch.save(content, models / "checkpoint_epoch=1.pt")
    torch.save(content["network"], models / "model_best.pt")
    return folder


def old_model(stage: str, folder: Path, *, text_encoder: Path | None = None) -> Path:
    """Write ``model.pt`` and the record of version 0.1 that belongs to it into ``folder/models``; the folder.

    ``text_encoder`` is the folder that the record of a pre-training shall name.
    """
    models = folder / "models"
    models.mkdir(parents=True)
    state = filled(_structure(stage)["network"], "network")
    torch.save(state, models / "model.pt")
    if stage == "pretrain":
        encoder = {name: tensor for name, tensor in state.items() if name.startswith("swinViT.")}
        safetensors.torch.save_file(encoder, models / "encoder.safetensors", metadata={"format": "pt"})
    name = "encoder.json" if stage == "pretrain" else "model.json"
    record = json.loads((OLD / f"{stage}_{name}").read_text())
    if stage == "pretrain":
        record["text"]["text_encoder"] = str(text_encoder)
    record["files"] = {
        file: hashlib.sha256((models / file).read_bytes()).hexdigest()
        for file in record["files"]
        if (models / file).is_file()
    }
    (models / name).write_text(json.dumps(record, indent=2) + "\n")
    return folder


def old_store(folder: Path) -> Path:
    """Unpack the two prepared cases of version 0.1: the folder with their datalist.json."""
    with zipfile.ZipFile(OLD / "store.zip") as archive:
        archive.extractall(folder)
    return folder
