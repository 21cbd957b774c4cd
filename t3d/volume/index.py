"""The index of a prepared case: what crops need to know without reading a whole volume."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy
from safetensors import SafetensorError

from t3d.errors import T3DError
from t3d.triple import triple
from t3d.volume.store import ENDING

INDEX_ENDING = ".index.safetensors"


@dataclass(frozen=True)
class CaseIndex:
    """Where things are in a prepared case.

    Attributes:
        highest: per axis the largest HU of every plane across it, float32 before rounding; so the box of everything
            above any threshold is known exactly.
        positions: label value -> sample of its voxels, int32 (n, 3); 0 is what no label covers.
        counts: label value -> number of its voxels.
        lesions: label value -> positions (n, 3) and the lesion (n,) that each lies in.
    """

    highest: tuple[np.ndarray, np.ndarray, np.ndarray]
    positions: Mapping[int, np.ndarray]
    counts: Mapping[int, int]
    lesions: Mapping[int, tuple[np.ndarray, np.ndarray]]

    def to_bytes(self) -> bytes:
        """The file's bytes; equal indices give equal bytes."""
        tensors = {f"highest.{axis}": np.ascontiguousarray(row) for axis, row in enumerate(self.highest)}
        values = sorted(self.counts)
        tensors["values"] = np.array(values, dtype=np.int64)
        tensors["counts"] = np.array([self.counts[value] for value in values], dtype=np.int64)
        tensors |= {f"positions.{value}": np.ascontiguousarray(rows) for value, rows in self.positions.items()}
        for value, (rows, lesion) in self.lesions.items():
            tensors[f"lesions.{value}"] = np.ascontiguousarray(rows)
            tensors[f"lesion.{value}"] = np.ascontiguousarray(lesion)
        return safetensors.numpy.save(dict(sorted(tensors.items())))


def index_path(image: str | Path) -> Path:
    """The index beside a prepared image."""
    return Path(str(image).removesuffix(ENDING) + INDEX_ENDING)


def read_highest(image: str | Path) -> tuple[np.ndarray, ...]:
    """The part of the index that says how high the HU rise per plane; positions are not read.

    Raises:
        T3DError: missing or damaged.
    """
    path = index_path(image)
    try:
        with safetensors.safe_open(path, "numpy") as found:
            return triple(found.get_tensor(f"highest.{axis}") for axis in range(3))
    except (OSError, SafetensorError) as error:
        raise _damaged(path) from error


def read_index(image: str | Path) -> CaseIndex:
    """The index of a prepared image.

    Raises:
        T3DError: missing or damaged.
    """
    path = index_path(image)
    try:
        found = safetensors.numpy.load_file(path)
        values = found["values"].tolist()
        return CaseIndex(
            highest=triple(found[f"highest.{axis}"] for axis in range(3)),
            positions={value: found[f"positions.{value}"] for value in values},
            counts=dict(zip(values, found["counts"].tolist(), strict=True)),
            lesions={
                int(name.removeprefix("lesions.")): (rows, found[name.replace("lesions", "lesion")])
                for name, rows in found.items()
                if name.startswith("lesions.")
            },
        )
    except (OSError, KeyError, SafetensorError) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> T3DError:
    return T3DError(f"{path} is missing or damaged; run `t3d prepare` again to rebuild the case.")
