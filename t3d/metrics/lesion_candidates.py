"""Lesions that a probability map proposes, each with a score: what a curve over all thresholds is made of."""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import binary_dilation, find_objects
from scipy.ndimage import label as components

from t3d.metrics.lesions import NEIGHBOURS

LEAST_SCORE = 0.1
SHARE_OF_PEAK = 0.4
MOST = 20


class Candidate(NamedTuple):
    """Voxels (K, 3) of one proposed lesion, and the highest probability among them."""

    voxels: np.ndarray
    score: float


def lesion_candidates(
    probability: np.ndarray, *, least: float = LEAST_SCORE, share: float = SHARE_OF_PEAK, most: int = MOST
) -> list[Candidate]:
    """Candidates around the peaks of a map, the highest first.

    A candidate is the component (26 neighbours) around the highest voxel left whose voxels reach a share of it; what
    touches an earlier candidate is its rim. So a network that is sure and one that never says more than .3 are asked
    alike, which one threshold for all would not do (the dynamic threshold of Bosma et al., Radiology: Artificial
    Intelligence 2023, with their share; there are at most 5 candidates of at least .1, here more).

    Args:
        probability: (X, Y, Z) in [0, 1].
        least: lower peaks are no candidates.
        share: of the peak that a candidate's voxels reach, in (0, 1].
        most: number of candidates.
    """
    whole, _ = components(probability >= least * share, NEIGHBOURS)
    boxes = enumerate(find_objects(whole), start=1)
    parts = [_Part(whole[box] == number, box, probability[box]) for number, box in boxes]
    found: list[Candidate] = []
    while len(found) < most:
        part = max(parts, key=lambda one: one.peak, default=None)
        if part is None or part.peak < least:
            break
        candidate = part.take(share)
        if candidate is not None:
            found.append(candidate)
    return found


class _Part:
    """One connected region that may hold several candidates."""

    def __init__(self, mine: np.ndarray, box: tuple[slice, ...], probability: np.ndarray) -> None:
        self.origin = np.array([side.start for side in box])
        self.left = np.where(mine, probability, 0).astype(np.float32)
        self.taken = np.zeros(self.left.shape, dtype=bool)
        self.peak = float(self.left.max())

    def take(self, share: float) -> Candidate | None:
        """Take out what lies around the peak; None for the rim of an earlier candidate."""
        place = np.unravel_index(int(self.left.argmax()), self.left.shape)
        numbers, _ = components(self.left >= share * self.peak, NEIGHBOURS)
        mine = numbers == numbers[place]
        score = self.peak
        self.left[mine] = 0
        self.peak = float(self.left.max())
        rim = bool((mine & self.taken).any())
        self.taken |= binary_dilation(mine, NEIGHBOURS)
        return None if rim else Candidate(np.argwhere(mine) + self.origin, score)
