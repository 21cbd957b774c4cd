"""Writing a package: the same content gives the same bytes, wherever, whenever and by whomever it is made."""

import io
import os
import shutil
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from t3d.errors import T3DError
from t3d.pack.bundle_files import Contents
from t3d.pack.new_folder import new_folder
from t3d.pack.sums import file_sha256

_BEGINNING = (1980, 1, 1, 0, 0, 0)  # of what a zip can hold
_MODE = 0o100644


def write_zip(file: BinaryIO, contents: Contents, *, bundle: str) -> None:
    """Write contents below one folder named after the bundle.

    Entries are stored, not compressed: weights hardly shrink, and compressed bytes differ between builds of zlib.

    Args:
        file: open for writing, can seek.
        contents: path below the bundle's folder -> bytes, or the file that has them.
        bundle: name of the bundle.

    Raises:
        T3DError: SOURCE_DATE_EPOCH is no time that a zip can hold.
    """
    date = _date()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(contents):
            info = zipfile.ZipInfo(f"{bundle}/{name}", date)
            info.create_system = 3  # Unix, also where this runs on another system
            info.external_attr = _MODE << 16
            with open_content(contents[name]) as source:
                info.file_size = source.seek(0, os.SEEK_END)
                source.seek(0)
                with archive.open(info, "w") as target:
                    shutil.copyfileobj(source, target)


def write_folder(folder: Path, contents: Contents) -> None:
    """Write contents as a plain folder.

    Raises:
        T3DError: the folder exists or cannot be written.
    """
    with new_folder(folder) as part:
        for name in sorted(contents):
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            with open_content(contents[name]) as source, open(part / name, "wb") as target:
                shutil.copyfileobj(source, target)


def open_content(content: bytes | Path) -> BinaryIO:
    """A file's content, open for reading."""
    return io.BytesIO(content) if isinstance(content, bytes) else open(content, "rb")


def sums_of(contents: Mapping[str, bytes | Path]) -> dict[str, str]:
    """Name -> SHA-256 of contents."""
    sums = {}
    for name, content in contents.items():
        with open_content(content) as file:
            sums[name] = file_sha256(file)
    return sums


def _date() -> tuple[int, int, int, int, int, int]:
    text = os.environ.get("SOURCE_DATE_EPOCH")
    if not text:
        return _BEGINNING
    try:
        year, month, day, hour, minute, second = time.gmtime(int(text))[:6]
    except (ValueError, OverflowError, OSError):
        year = month = day = hour = minute = second = 0
    date = (year, month, day, hour, minute, second)
    if not _BEGINNING <= date < (2108,):
        raise T3DError(
            f"SOURCE_DATE_EPOCH is {text!r}; give the seconds since 1970 of a time from 1980 on (UTC), or unset it."
        )
    return date
