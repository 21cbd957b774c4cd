"""One report's features on disk, of its tokens or its sentences: no text, no token ids, replaced atomically."""

from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from t3d.atomic import write_atomically


def is_whole(path: Path, width: int, *, beside: tuple[str, ...] = ("sentence",)) -> bool:
    """Whether a file has its full length and ``width`` channels per row; reads only its header.

    Args:
        path, width: the file and D of its ``features`` (n, D).
        beside: names of what else it has, (n,) each.
    """
    try:
        with safe_open(path, framework="pt") as file:
            features, *others = (file.get_slice(name).get_shape() for name in ("features", *beside))
        return all(features == [*other, width] for other in others)
    except (OSError, SafetensorError):
        return False


def read_features(path: Path) -> tuple[Tensor, Tensor]:
    """Read features (n, D) float32 and the sentence (n,) int64 of each of the n tokens."""
    tensors = safetensors.torch.load_file(path)
    return tensors["features"], tensors["sentence"].long()


def write_features(path: Path, features: Tensor, sentence: Tensor) -> None:
    """Write features (n, D) and sentence numbers (n,).

    Raises:
        T3DError: the file could not be written.
    """
    write_tensors(path, {"features": features.contiguous(), "sentence": sentence.to(torch.int32)})


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write contiguous tensors.

    Raises:
        T3DError: the file could not be written.
    """
    write_atomically({path: lambda file: file.write(safetensors.torch.save(tensors))})
