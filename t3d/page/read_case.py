"""A case of the viewer from the files of a cohort and of a run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import nibabel
import numpy as np
from monai.data import MetaTensor
from nibabel.affines import voxel_sizes

from t3d.errors import T3DError
from t3d.page.case import MapLayer, ViewerCase
from t3d.page.table import Table
from t3d.volume.label_on_image import lay_on
from t3d.volume.load import LoadVolumed

MOST_VOXELS = 1 << 21  # of a case: 128 a side; its CT then takes two to three megabytes of the page
_HU = -32768, 32767  # of int16
_AXES = ("x", "y", "z")


class MapFile(NamedTuple):
    """A map on a grid of its own.

    Attributes:
        path: NIfTI.
        channel: of a fourth axis, if there is one.
    """

    path: Path
    channel: int = 0


def read_case(
    name: str,
    image: str | Path,
    *,
    labels: Mapping[str, str | Path] | None = None,
    maps: Mapping[str, MapFile] | None = None,
    classes: Mapping[str, Sequence[int]] | None = None,
    facts: Table | None = None,
    note: str = "",
    most_voxels: int = MOST_VOXELS,
) -> ViewerCase:
    """Read a CT and what lies on it; of a large one every second, third, .. voxel.

    Args:
        name: what the page calls the case; messages, too.
        image: any volume that ``t3d.volume`` reads, in HU.
        labels: layer -> label map on the image's voxels.
        maps: layer -> map whose axes are parallel to the image's.
        classes: class -> its values in the label maps; classes are then numbered in this order from 1. None keeps the
            values.
        facts, note: see ``ViewerCase``; what is left out of a large case is added to the note.
        most_voxels: that the case may have.

    Raises:
        T3DError: a file cannot be read, or does not lie on the image.
    """
    who = f"case {name}"
    load = LoadVolumed()
    loaded = {
        key: load({"image": path, "case_id": name})["image"]
        for key, path in {"image": image, **(labels or {})}.items()
    }
    grey: MetaTensor = loaded.pop("image")
    shown, affine = _canonical(grey)
    every = _steps(shown.shape, voxel_sizes(affine), most_voxels)
    kept = tuple(slice(None, None, step) for step in every)
    coarse = affine @ np.diag([*every, 1.0])
    numbered = {
        layer: _numbered(_canonical(lay_on(label, grey, who))[0][kept], classes) for layer, label in loaded.items()
    }
    return ViewerCase(
        name=name,
        image=np.clip(np.rint(shown[kept]), *_HU).astype(np.int16),
        spacing=voxel_sizes(coarse).tolist(),
        origin=affine[:3, 3].tolist(),
        labels=numbered,
        maps={layer: _map(file, coarse, shown[kept].shape, who) for layer, file in (maps or {}).items()},
        facts=facts,
        note=" ".join(filter(None, (note, _left_out(every)))),
    )


def largest_value(cases: Sequence[ViewerCase]) -> int:
    """Of all label layers; 0 without any."""
    return max((int(values.max()) for case in cases for values in case.labels.values()), default=0)


def _canonical(volume: MetaTensor) -> tuple[np.ndarray, np.ndarray]:
    """(X, Y, Z) with axes nearest to RAS, and the affine."""
    image: Any = nibabel.Nifti1Image(volume.as_tensor()[0].numpy(), np.asarray(volume.affine, dtype=float))
    turned = nibabel.as_closest_canonical(image)
    return np.asanyarray(turned.dataobj), turned.affine


def _steps(shape: Sequence[int], spacing: Sequence[float], most: int) -> list[int]:
    """Every how manieth voxel of each axis: the finest axis gives first."""
    steps = [1, 1, 1]
    while np.prod([-(-side // step) for side, step in zip(shape, steps, strict=True)]) > most:
        steps[int(np.argmin(np.multiply(spacing, steps)))] += 1
    return steps


def _numbered(values: np.ndarray, classes: Mapping[str, Sequence[int]] | None) -> np.ndarray:
    whole = values.astype(np.uint16)
    if classes is not None:
        table = np.zeros(1 << 16, np.uint16)
        for place, numbers in enumerate(classes.values(), start=1):
            table[list(numbers)] = place
        whole = table[whole]
    return whole.astype(np.uint8) if whole.max() < 256 else whole


def _map(file: MapFile, affine: np.ndarray, shape: Sequence[int], who: str) -> MapLayer:
    try:
        image: Any = nibabel.as_closest_canonical(nibabel.load(file.path))
        stored = np.asarray(image.dataobj, dtype=np.float32)
    except (OSError, nibabel.filebasedimages.ImageFileError) as error:
        raise T3DError(f"{who}: the map {file.path.name} cannot be read ({error}); make it again") from error
    values = stored[..., file.channel] if stored.ndim == 4 else stored
    there = np.linalg.inv(image.affine) @ affine
    scale, offset = np.diag(there)[:3], there[:3, 3]
    skew = np.abs(there[:3, :3] - np.diag(scale)) @ np.asarray(shape, dtype=float)
    if not (skew < 1).all():  # in voxels of the map
        raise T3DError(f"{who}: the map {file.path.name} is turned against the image; make it again from this image")
    return MapLayer(np.nan_to_num(values), scale.tolist(), offset.tolist())


def _left_out(every: Sequence[int]) -> str:
    if max(every) == 1:
        return ""
    said = ", ".join(f"every {_ordinal(step)} voxel along {axis}" for step, axis in zip(every, _AXES, strict=True))
    return f"To keep this page small it holds {said}. The files hold all of them."


def _ordinal(step: int) -> str:
    return {1: "single", 2: "2nd", 3: "3rd"}.get(step, f"{step}th")
