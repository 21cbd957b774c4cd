"""The folder a cohort is written to: whose it is and what may be overwritten."""

from pathlib import Path

from t3d.errors import T3DError
from t3d.files import json_bytes

RECORD = "phantoms.json"


def as_json(value: object) -> bytes:
    """The bytes of a cohort's files, which a later run compares with its own."""
    return json_bytes(value, indent=1)


def check_folder(folder: Path, record: bytes, datalist: bytes) -> None:
    """Refuse a folder that holds anything but this very cohort, finished or not.

    Args:
        folder: where the cohort will be written; may be absent or empty.
        record: the bytes of the record of settings that this run would write.
        datalist: the bytes of the datalist that this run would write.

    Raises:
        T3DError: the folder is a file, holds something else, another cohort, or an edited datalist.
    """
    if folder.exists() and not folder.is_dir():
        raise T3DError(f"out_dir {folder} is a file; name a folder.")
    if not folder.exists() or not any(folder.iterdir()):
        return
    there = folder / RECORD
    if not there.is_file():
        example = sorted(path.name for path in folder.iterdir())[0]
        raise T3DError(
            f"out_dir {folder} already holds other files (such as {example}) and no phantom cohort; "
            "name a new or empty folder."
        )
    if there.read_bytes() != record:
        raise T3DError(
            f"out_dir {folder} holds a phantom cohort made with other settings (see its {RECORD}); "
            "name another folder, or delete that one."
        )
    listed = folder / "datalist.json"
    if listed.exists() and listed.read_bytes() != datalist:
        raise T3DError(f"{listed} was changed since it was written; name another folder, or delete the file.")
