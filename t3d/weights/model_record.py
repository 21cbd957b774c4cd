"""Settings of a fine-tuned model from the model.json beside it, so that nobody must repeat them."""

from pathlib import Path
from typing import Any

from t3d.weights.record import MODEL, read_record, settings_of

RECORD_NAME = "model.json"


def recorded_model(folder: str | Path) -> dict[str, Any]:
    """Network and preprocessing settings of a folder's ``model.json`` in one dict, with ``findings`` or ``labels``.

    Without a record it is empty: the configuration's own defaults hold.

    Raises:
        T3DError: the record cannot be read.
    """
    path = Path(folder) / RECORD_NAME
    return settings_of(read_record(path, kinds=MODEL)) if path.is_file() else {}
