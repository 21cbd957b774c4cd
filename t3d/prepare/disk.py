"""How much disk a prepared store will need, from headers alone."""

import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from t3d.errors import T3DError
from t3d.prepare.source import open_source
from t3d.volume.grid import prepared_grid

logger = logging.getLogger(__name__)

# Ours: a chest CT at 1 mm takes about 0.4 of its int16 size; labels next to nothing.
COMPRESSED = 0.45
_LOOKED_AT = 100


def say_disk(items: Sequence[Mapping[str, Any]], spacing: Sequence[float], target: Path) -> float:
    """Log an estimate of the bytes that these cases will take, and warn when the disk has fewer.

    Looks at the headers of at most 100 NIfTI files, evenly spread. Files that cannot be read count nothing here; they
    are named when their turn comes.

    Returns:
        The estimate in bytes.
    """
    files = [Path(item["image"]) for item in items if str(item["image"]).endswith((".nii", ".nii.gz"))]
    if not files:
        return 0.0
    chosen = np.unique(np.linspace(0, len(files) - 1, min(len(files), _LOOKED_AT)).round().astype(int))
    voxels = []
    for number in chosen:
        try:
            source = open_source(files[number], files[number].name)
            voxels.append(float(np.prod(prepared_grid(source.shape, source.affine, spacing).shape, dtype=float)))
        except (T3DError, ValueError, np.linalg.LinAlgError):
            continue
    if not voxels:
        return 0.0
    needed = float(np.mean(voxels)) * 2 * COMPRESSED * len(items)
    free = shutil.disk_usage(target).free
    logger.info(
        "disk: about %s for %d cases (%s a case), %s free",
        _size(needed), len(items), _size(needed / len(items)), _size(free),
    )  # fmt: skip
    if needed > free:
        logger.warning("disk: the cases may not fit; free space or choose another --out_dir (a rerun goes on)")
    return needed


def _size(number: float) -> str:
    return f"{number / 2**30:.1f} GiB" if number >= 2**30 else f"{number / 2**20:.1f} MiB"
