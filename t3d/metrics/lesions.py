"""Lesion by lesion: which lesions were found, and what was found that is none."""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import label as components

# Voxels that touch by a face, an edge or a corner are one lesion.
NEIGHBOURS = np.ones((3, 3, 3), dtype=bool)


def match_lesions(
    prediction: np.ndarray,
    label: np.ndarray,
    spacing: Sequence[float],
    *,
    min_iou: float | None = None,
    min_mm3: float = 0.0,
) -> dict:
    """Compare connected components (26 neighbours) of two masks.

    A lesion is detected when at least one of its voxels is predicted; with ``min_iou``, when the intersection over
    union of the lesion and all predicted components that touch it reaches that value. A predicted component is a
    false positive when it touches no detected lesion and no lesion left out for its size. Lesions that touch each
    other are one; one predicted component may detect several.

    Args:
        prediction: (X, Y, Z) bool.
        label: (X, Y, Z) bool.
        spacing: mm per voxel along each axis.
        min_iou: in (0, 1], or None for "at least one voxel".
        min_mm3: smaller lesions are neither detected nor missed; smaller predicted components are no false
            positives, but still detect what they touch.

    Returns:
        ``lesions``: list of ``{"mm3", "detected"}`` in the order of the components; ``left_out``: number of
        lesions below ``min_mm3``; ``false_positives``: list of volumes in mm3.
    """
    box = _box(prediction | label)
    prediction, label = prediction[box], label[box]
    voxel = float(np.prod(np.asarray(spacing, dtype=float)))
    found, found_count = components(prediction, NEIGHBOURS)
    wanted, wanted_count = components(label, NEIGHBOURS)
    found_sizes = np.bincount(found.ravel(), minlength=found_count + 1)
    wanted_sizes = np.bincount(wanted.ravel(), minlength=wanted_count + 1)
    both = (found > 0) & (wanted > 0)
    pairs, shared = np.unique(np.stack([wanted[both], found[both]]), axis=1, return_counts=True)
    explained: set[int] = set()
    lesions, left_out = [], 0
    for lesion in range(1, wanted_count + 1):
        mine = pairs[0] == lesion
        touching = pairs[1][mine]
        overlap = int(shared[mine].sum())
        volume = float(wanted_sizes[lesion] * voxel)
        if volume < min_mm3:
            left_out += 1
            explained.update(touching.tolist())
            continue
        union = int(wanted_sizes[lesion]) + int(found_sizes[touching].sum()) - overlap
        detected = overlap > 0 if min_iou is None else overlap / union >= min_iou
        if detected:
            explained.update(touching.tolist())
        lesions.append({"mm3": volume, "detected": bool(detected)})
    others = [float(found_sizes[n] * voxel) for n in range(1, found_count + 1) if n not in explained]
    return {
        "lesions": lesions,
        "left_out": left_out,
        "false_positives": [volume for volume in others if volume >= min_mm3],
    }


def _box(mask: np.ndarray) -> tuple[slice, ...]:
    """The smallest box that holds the mask; an empty one for an empty mask."""
    box = []
    for axis in range(mask.ndim):
        filled = np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        box.append(slice(int(filled[0]), int(filled[-1]) + 1) if filled.size else slice(0, 0))
    return tuple(box)
