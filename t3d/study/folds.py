"""Folds of a cross-validation, as nnU-Net makes them."""

from collections.abc import Sequence

import numpy as np


def folds(cases: Sequence[str], *, count: int, seed: int) -> list[list[str]]:
    """Test lists of a cross-validation.

    The same as ``KFold(count, shuffle=True, random_state=seed)`` of scikit-learn over the sorted names, which is what
    nnU-Net does with count 5 and seed 12345 (MIC-DKFZ/nnUNet, nnunetv2/utilities/crossval_split.py); its splits come
    out only where the cases are all there.

    Args:
        cases: names; their order does not matter.
        count: number of folds.
        seed: of the shuffling.
    """
    names = sorted(cases)
    order = np.arange(len(names))
    np.random.RandomState(seed).shuffle(order)
    return [[names[place] for place in sorted(part)] for part in np.array_split(order, count)]
