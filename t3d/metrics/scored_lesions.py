"""The lesions of one case and what a network proposes, each with its score."""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import label as components

from t3d.metrics.lesion_candidates import lesion_candidates
from t3d.metrics.lesions import NEIGHBOURS

MIN_IOU = 0.1


def score_lesions(
    probability: np.ndarray,
    label: np.ndarray,
    spacing: Sequence[float],
    *,
    min_iou: float = MIN_IOU,
    min_mm3: float = 0.0,
) -> dict:
    """Match the candidates of a probability map with the lesions of a label.

    A candidate finds a lesion when their intersection over union reaches ``min_iou`` (.1, as in the PI-CAI challenge
    and nnDetection: lesions of few voxels allow no more). The score of a lesion is the highest of the candidates that
    find it, 0 where none does. A candidate that finds none is a false positive. Components (26 neighbours) are the
    lesions, as in ``match_lesions``.

    Args:
        probability: (X, Y, Z) in [0, 1].
        label: (X, Y, Z) bool.
        spacing: mm per voxel along each axis.
        min_iou: in (0, 1].
        min_mm3: smaller lesions are neither found nor missed, and what finds them is no false positive.

    Returns:
        ``lesions``: list of ``{"mm3", "score"}`` in the order of the components; ``false_positives``: list of scores.
    """
    wanted, count = components(label, NEIGHBOURS)
    sizes = np.bincount(wanted.ravel(), minlength=count + 1)
    voxel = float(np.prod(np.asarray(spacing, dtype=float)))
    scores = np.zeros(count + 1)
    false = []
    for candidate in lesion_candidates(probability):
        shared = np.bincount(wanted[tuple(candidate.voxels.T)], minlength=count + 1)
        shared[0] = 0
        found = shared / (len(candidate.voxels) + sizes - shared) >= min_iou
        scores[found] = np.maximum(scores[found], candidate.score)
        if not found.any():
            false.append(candidate.score)
    lesions = [
        {"mm3": float(size * voxel), "score": float(score)} for size, score in zip(sizes[1:], scores[1:], strict=True)
    ]
    return {"lesions": [one for one in lesions if one["mm3"] >= min_mm3], "false_positives": false}
