"""Small and large lesions apart: of findings, each against the cases without, and of single lesions."""

from collections.abc import Mapping

import numpy as np

from t3d.study.outcome import Outcome

CLASSES = ("small", "large")


def largest_lesions(truth: Mapping[str, list[Mapping]]) -> dict[str, dict[str, float]]:
    """Case -> finding -> size in mm of its largest lesion.

    Args:
        truth: case -> its lesions with ``finding`` and ``size_mm``, as phantoms have them in ``findings.json``.
    """
    sizes: dict[str, dict[str, float]] = {}
    for case, lesions in truth.items():
        mine = sizes.setdefault(case, {})
        for lesion in lesions:
            mine[lesion["finding"]] = max(mine.get(lesion["finding"], 0.0), float(lesion["size_mm"]))
    return sizes


def size_classes(outcome: Outcome, sizes: Mapping[str, Mapping[str, float]]) -> dict[str, Outcome]:
    """The same scores, once for positives with small lesions and once for those with large ones.

    Small is what lies below the median of a finding's positives among these cases. Positives of the other class, and
    those of unknown size, are left out; cases without the finding stay in both.

    Args:
        outcome: scores against labels.
        sizes: see ``largest_lesions``.

    Returns:
        ``small`` and ``large``.
    """
    size = np.array([[sizes.get(case, {}).get(name, np.nan) for name in outcome.targets] for case in outcome.cases])
    positive = outcome.labels == 1
    size = np.where(positive, size, np.nan)
    middle = np.full(size.shape[1], np.nan)
    for column in np.flatnonzero(np.isfinite(size).any(axis=0)):
        middle[column] = np.nanmedian(size[:, column])
    # comparisons with NaN are false: a positive of unknown size is in neither class
    kept = {"small": size < middle, "large": size >= middle}
    return {
        name: outcome._replace(labels=np.where(positive & ~kept[name], np.nan, outcome.labels)) for name in CLASSES
    }


def lesion_size_classes(outcome: Outcome) -> dict[str, Outcome]:
    """The same scores of single lesions, once with the small lesions of each class and once with the large ones.

    Small is what has less volume than the median lesion of its class in these cases. False positives, which have no
    size that is known, stay in both: a threshold calls the same ones.

    Args:
        outcome: of the kind ``froc``.

    Returns:
        ``small`` and ``large``.
    """
    size = np.where(outcome.lesion_sizes > 0, outcome.lesion_sizes, np.nan)
    middle = np.full(size.shape[2], np.nan)
    for column in np.flatnonzero(np.isfinite(size).any(axis=(0, 1))):
        middle[column] = np.nanmedian(size[:, :, column])
    left_out = {"small": size >= middle, "large": size < middle}
    return {
        name: outcome._replace(lesion_sizes=np.where(left_out[name], np.nan, outcome.lesion_sizes)) for name in CLASSES
    }
