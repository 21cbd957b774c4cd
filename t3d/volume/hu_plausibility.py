"""A warning for volumes whose values are no Hounsfield units: MR, 8-bit exports, a rescale that was lost."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ignite.engine import Engine, Events

from t3d.errors import T3DError
from t3d.volume.hu_guard import hu_doubt, remedy
from t3d.volume.image_file import open_image
from t3d.volume.in_words import in_words
from t3d.volume.voxel_histogram import VoxelHistogram

logger = logging.getLogger(__name__)

SAMPLED_SLICES = (0.25, 0.5, 0.75)


def warn_if_no_hu(volume: np.ndarray, case: str) -> bool:
    """Log a warning when values are no Hounsfield units.

    Args:
        volume: voxels, all or a sample, of any shape.
        case: for the message.

    Returns:
        Whether it warned. A CT cut to soft tissue alone is warned about too; the case is still used.
    """
    histogram = VoxelHistogram()
    histogram.add(volume)
    doubt = hu_doubt(histogram)
    if doubt is None:
        return False
    logger.warning(
        "case %s: values do not look like HU (%s); the network expects CT in HU, so its results may mean nothing. "
        "Check the file: %s.",
        case,
        doubt.evidence,
        remedy(doubt),
    )
    return True


def check_hu(item: Mapping[str, Any]) -> None:
    """Look at three slices of an item's image and warn when they are no HU; may be one of the checks of `run_cases`.

    Memory is that of three slices. A compressed NIfTI file is read to three quarters, about a second for a large
    CT. Files that cannot be read are left to loading, which says what is wrong with them.
    """
    image = item.get("image")
    if not isinstance(image, str | Path):
        return
    path = Path(image)
    try:
        with in_words(path.name):
            sample = _sample(path)
    except T3DError as error:
        logger.debug("case %s: no sample (%s)", item.get("case_id", path.name), error)
        return
    warn_if_no_hu(sample, str(item.get("case_id", path.name)))


class HuPlausibility:
    """Handler: looks at the files of a run's cases before it starts, and warns about those that are no HU.

    After preprocessing the original values are gone, so the files are read again.

    Args:
        items: with ``case_id`` and the path ``image``.
        most: items to look at, evenly spread over the list, so that a large cohort is not read twice.
    """

    def __init__(self, *, items: Iterable[Mapping[str, Any]], most: int = 16) -> None:
        self.items = list(items)
        if most < 1:
            raise T3DError(f"most is {most}: at least one case must be looked at")
        self.most = most

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer or an evaluator."""
        engine.add_event_handler(Events.STARTED, self.look)

    def look(self, engine: Engine) -> None:
        """Check the chosen cases."""
        count = min(self.most, len(self.items))
        for place in np.linspace(0, len(self.items) - 1, count).round().astype(int) if count else ():
            check_hu(self.items[place])


def _sample(path: Path) -> np.ndarray:
    # With the file kept open a compressed stream is only read forward, once.
    image = open_image(path, keep_file_open=True)
    depth = image.shape[2]
    return np.stack([np.asarray(image.dataobj[:, :, int(part * depth)], dtype=np.float32) for part in SAMPLED_SLICES])
