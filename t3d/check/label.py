"""A case's label: its grid and its values."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from nibabel.spatialimages import SpatialImage

from t3d.check.remark import without_names
from t3d.check.slabs import open_streamed, slabs
from t3d.errors import T3DError
from t3d.volume.same_voxels import grid_fault
from t3d.volume.volume_shape import volume_shape_fault
from t3d.volume.whole_numbers import whole_numbers

if TYPE_CHECKING:  # which looks at labels with this module
    from t3d.check.case import CaseFacts

MOST_VALUES = 256


def look_at_label(
    path: Path, grid: tuple[Sequence[int], np.ndarray] | None, facts: "CaseFacts", *, fast: bool
) -> None:
    """Add what is wrong with a label to a case's facts.

    Args:
        path: an existing file.
        grid: (shape, affine) of the image, or None where it is not known.
        facts: ``CaseFacts`` to add to.
        fast: read the header only.
    """
    try:
        label = open_streamed(path).image
        kind, fault = "label", volume_shape_fault(label.shape)
        if fault is None and grid is not None:
            kind, fault = "grid", grid_fault(*grid, label.shape, label.affine)
        if fault is not None:
            facts.faults.append((kind, fault))
        elif not fast:
            _values(label, facts)
    except (T3DError, MemoryError) as error:
        facts.faults.append(("label", without_names(error, path)))


def _values(label: SpatialImage, facts: "CaseFacts") -> None:
    found: set[float] = set()
    for _, slab in slabs(label.dataobj, label.shape):
        values = whole_numbers(np.unique(slab))
        if values is None:
            what = "has values that are no whole numbers; export it as a label map, not resampled"
            facts.faults.append(("label", what))
            return
        found.update(values.tolist())
        if len(found) > MOST_VALUES:
            what = f"has more than {MOST_VALUES} different values; give the path of a label map, not of an image"
            facts.faults.append(("label", what))
            return
    negative = sorted(value for value in found if value < 0)
    if negative:
        listed = ", ".join(f"{value:g}" for value in negative[:8])
        facts.faults.append(("label", f"has the negative values {listed}; give every class a number above 0"))
    if found == {0.0}:
        facts.doubts.append(("label", "has no voxel above 0; leave it, or move the case if that is not meant"))
    facts.label_values = tuple(sorted(int(value) for value in found))
