"""Settings of a fine-tuned model from the model.json beside it, so that nobody must repeat them."""

import json
import logging
from pathlib import Path
from typing import Any

from t3d.errors import T3DError

logger = logging.getLogger(__name__)

RECORD_NAME = "model.json"
FORMAT_VERSION = 1


def recorded_model(folder: str | Path) -> dict[str, Any]:
    """Network and preprocessing settings of a folder's ``model.json`` in one dict, with ``findings`` or ``labels``.

    Without a record it is empty: the configuration's own defaults hold.

    Raises:
        T3DError: the record cannot be read.
    """
    path = Path(folder) / RECORD_NAME
    if not path.is_file():
        return {}
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        settings = {**record["network"], **record["preprocessing"]}
        version = record["format_version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise T3DError(f"{path} is no model record or is damaged; copy it again with its weights.") from error
    if version != FORMAT_VERSION:
        raise T3DError(f"{path} has format version {version}, this t3d reads {FORMAT_VERSION}; install another t3d.")
    return {**settings, **{key: record[key] for key in ("findings", "labels") if key in record}}
