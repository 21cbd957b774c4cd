"""Which cases still need a result: nothing a user has is overwritten unasked."""

import gzip
import logging
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from t3d.errors import T3DError

logger = logging.getLogger(__name__)


def pending_cases(
    items: Sequence[Mapping[str, Any]],
    *,
    output_dir: str | Path,
    ending: str = "_pred.nii.gz",
    overwrite: bool = False,
    skip_done: bool = False,
) -> list[Mapping[str, Any]]:
    """The items to work on.

    Args:
        items: with ``case_id``.
        output_dir: where results ``CASE`` + ``ending`` lie.
        ending: of the result files, gzip-compressed.
        overwrite: work on all items; earlier results are replaced.
        skip_done: leave out items whose result is there and complete.

    Raises:
        T3DError: results are there, and neither is asked for.
    """
    if overwrite:
        return list(items)
    there = [item for item in items if (Path(output_dir) / f"{item['case_id']}{ending}").exists()]
    if there and not skip_done:
        raise T3DError(
            f"{output_dir} already holds results of {len(there)} of {len(items)} cases (the first is "
            f"{there[0]['case_id']}{ending}): pass --overwrite True to replace them, --skip_done True to do only the "
            "others, or another --output_dir"
        )
    done = {item["case_id"] for item in there if _complete(Path(output_dir) / f"{item['case_id']}{ending}")}
    if done:
        logger.info("%d of %d cases have a result and are left out", len(done), len(items))
    return [item for item in items if item["case_id"] not in done]


def _complete(file: Path) -> bool:
    """Whether a gzip file ends properly; a killed run leaves one that does not."""
    try:
        with gzip.open(file) as stream:
            if not stream.read(1):  # gzip takes an empty file for a complete one
                raise EOFError
            while stream.read(1 << 20):
                pass
    except (OSError, EOFError, zlib.error):
        logger.warning("%s is not complete and is made again", file)
        return False
    return True
