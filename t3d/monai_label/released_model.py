"""The model as it was installed, kept aside before annotators' labels train it on."""

import logging
import shutil
from pathlib import Path
from typing import BinaryIO

from t3d.atomic import Write, write_atomically
from t3d.weights.model_record import RECORD_NAME

logger = logging.getLogger(__name__)

# A folder of its own: MONAI Label serves the *.pt file in models/ with the shortest name.
FOLDER = "released"


def keep_released(ckpt_dir: str | Path) -> None:
    """Copy ``model.pt``, its record and its thresholds to ``ckpt_dir/released``, once.

    Copying them back restores the released model. Does nothing where they are kept already, or where there is no
    model yet.

    Raises:
        T3DError: the copy could not be written; training must not go on then.
    """
    folder = Path(ckpt_dir)
    kept = folder / FOLDER
    if (kept / "model.pt").exists() or not (folder / "model.pt").is_file():
        return
    names = ("thresholds.json", RECORD_NAME, "model.pt")  # the last one says that all are there
    found = [folder / name for name in names if (folder / name).is_file()]
    write_atomically({kept / path.name: _copier(path) for path in found})
    logger.info("kept the released model in %s", kept)


def _copier(path: Path) -> Write:
    def copy(file: BinaryIO) -> None:
        with open(path, "rb") as source:
            shutil.copyfileobj(source, file)

    return copy
