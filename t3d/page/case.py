"""One case of the viewer: small arrays in RAS order, and how a page holds them."""

import base64
import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from t3d.page.table import Table

_TYPES: dict[str, np.dtype[Any]] = {"uint8": np.dtype("u1"), "uint16": np.dtype("<u2"), "int16": np.dtype("<i2")}
_LEVELS = 255  # of a map's values


@dataclass(frozen=True)
class MapLayer:
    """Values to lay over the image in colours, on a grid of their own.

    Attributes:
        values: (x, y, z) float.
        scale, offset: along each axis, voxel i of the image lies at i * scale + offset of this map.
    """

    values: np.ndarray
    scale: Sequence[float]
    offset: Sequence[float]


@dataclass(frozen=True)
class ViewerCase:
    """An image and what lies on it.

    Attributes:
        name: what the page calls it.
        image: (X, Y, Z) int16 HU; indices grow to the patient's right, front and head.
        spacing: mm a voxel along each axis.
        origin: RAS millimetres of voxel (0, 0, 0); the axes are taken for those of the scanner.
        labels: layer -> (X, Y, Z) uint8 or uint16 class numbers, 0 for none. The first is drawn as an outline, the
            second filled.
        maps: layer -> map.
        facts: numbers of this case.
        note: what else is to say, such as what of the files is not shown.
    """

    name: str
    image: np.ndarray
    spacing: Sequence[float]
    origin: Sequence[float]
    labels: Mapping[str, np.ndarray] = field(default_factory=dict)
    maps: Mapping[str, MapLayer] = field(default_factory=dict)
    facts: Table | None = None
    note: str = ""

    def start(self) -> list[int]:
        """The voxel that the viewer opens at: where most is labelled, else where the first map is highest."""
        if self.labels:
            labelled = next(iter(self.labels.values())) > 0
            if labelled.any():
                others = ((1, 2), (0, 2), (0, 1))
                return [int(labelled.sum(axis=axes).argmax()) for axes in others]
        if self.maps:
            top = next(iter(self.maps.values()))
            peak = np.unravel_index(int(top.values.argmax()), top.values.shape)
            places = [round((at - off) / step) for at, off, step in zip(peak, top.offset, top.scale, strict=True)]
            return [min(max(place, 0), side - 1) for place, side in zip(places, self.image.shape, strict=True)]
        return [side // 2 for side in self.image.shape]


def pack(array: np.ndarray) -> dict[str, Any]:
    """An array as JSON holds it: shape, type, and gzip-compressed voxels in base64, x running fastest.

    Args:
        array: (X, Y, Z) uint8, uint16 or int16.
    """
    voxels = array.astype(_TYPES[array.dtype.name], copy=False).tobytes(order="F")
    data = base64.b64encode(gzip.compress(voxels, mtime=0)).decode()
    return {"shape": list(array.shape), "type": array.dtype.name, "data": data}


def unpack(packed: Mapping[str, Any]) -> np.ndarray:
    """The array that ``pack`` was given."""
    voxels = gzip.decompress(base64.b64decode(packed["data"]))
    return np.frombuffer(voxels, _TYPES[packed["type"]]).reshape(packed["shape"], order="F")


def as_json(case: ViewerCase) -> dict[str, Any]:
    """What ``viewer.js`` reads of a case."""
    return {
        "name": case.name,
        "note": case.note,
        "spacing": [round(float(side), 4) for side in case.spacing],
        "origin": [round(float(place), 2) for place in case.origin],
        "start": case.start(),
        "image": pack(case.image),
        "labels": [{"name": name, **pack(values)} for name, values in case.labels.items()],
        "maps": [{"name": name, **_map_json(layer)} for name, layer in case.maps.items()],
        "facts": None
        if case.facts is None
        else {"columns": list(case.facts.columns), "rows": [list(row) for row in case.facts.rows]},
    }


def _map_json(layer: MapLayer) -> dict[str, Any]:
    low, high = float(layer.values.min()), float(layer.values.max())
    levels = np.rint((layer.values - low) * (_LEVELS / (high - low or 1.0))).astype(np.uint8)
    places = {"scale": [float(step) for step in layer.scale], "offset": [float(off) for off in layer.offset]}
    return {**pack(levels), "low": low, "high": high, **places}
