"""Features of all cases that one encoder saw."""

import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from t3d.atomic import write_atomically
from t3d.errors import T3DError

FILE = "features.npz"


def write_features(folder: Path, cases: Sequence[str], features: np.ndarray) -> None:
    """Write features (N, C) of N cases."""
    buffer = io.BytesIO()
    names = np.frombuffer(json.dumps(list(cases)).encode(), dtype=np.uint8)
    np.savez(buffer, features=features.astype(np.float32), cases=names)
    write_atomically({folder / FILE: buffer.getvalue()})


def read_features(folder: Path, items: Sequence[dict]) -> np.ndarray:
    """Features (N, C) of these cases, float64.

    Raises:
        T3DError: the file is damaged or lacks a case.
    """
    try:
        with np.load(folder / FILE, allow_pickle=False) as content:
            place = {case: row for row, case in enumerate(json.loads(content["cases"].tobytes()))}
            return content["features"][[place[item["case_id"]] for item in items]].astype(np.float64)
    except (OSError, ValueError, KeyError) as error:
        raise T3DError(f"{folder / FILE} is damaged; delete its folder and run the study again") from error
