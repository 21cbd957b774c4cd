"""Writing a package: the same content gives the same bytes, wherever, whenever and by whomever it is made."""

import hashlib
import io
import os
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from t3d.errors import T3DError
from t3d.pack.bundle_files import Contents
from t3d.pack.manifest import MANIFEST, Entry, Manifest

_BEGINNING = (1980, 1, 1, 0, 0, 0)  # of what a zip can hold
_MODE = 0o100644


def write_zip(file: BinaryIO, contents: Contents, *, about: Mapping[str, str], downloads: Mapping[str, Entry]) -> None:
    """Write contents and, last, their manifest, below one folder named after the bundle.

    Entries are stored, not compressed: weights hardly shrink, and compressed bytes differ between builds of zlib.

    Args:
        file: open for writing, can seek.
        contents: path below the bundle's folder -> bytes, or the file that has them.
        about: ``bundle``, ``bundle_version`` and ``t3d_version`` of the manifest.
        downloads: files that are left out, for the manifest.

    Raises:
        T3DError: SOURCE_DATE_EPOCH is no time that a zip can hold.
    """
    date = _date()
    entries = {}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(contents):
            entries[name] = _add(archive, f"{about['bundle']}/{name}", contents[name], date)
        manifest = Manifest(**about, files=entries, downloads=dict(downloads))
        _add(archive, f"{about['bundle']}/{MANIFEST}", manifest.to_bytes(), date)


def open_content(content: bytes | Path) -> BinaryIO:
    """A file's content, open for reading."""
    return io.BytesIO(content) if isinstance(content, bytes) else open(content, "rb")


def _add(archive: zipfile.ZipFile, name: str, content: bytes | Path, date: tuple[int, ...]) -> Entry:
    info = zipfile.ZipInfo(name, date)
    info.create_system = 3  # Unix, also where this runs on another system
    info.external_attr = _MODE << 16
    info.file_size = len(content) if isinstance(content, bytes) else content.stat().st_size
    digest, size = hashlib.sha256(), 0
    with open_content(content) as source, archive.open(info, "w") as target:
        while block := source.read(1 << 20):
            digest.update(block)
            size += len(block)
            target.write(block)
    return Entry(digest.hexdigest(), size)


def _date() -> tuple[int, ...]:
    text = os.environ.get("SOURCE_DATE_EPOCH")
    if not text:
        return _BEGINNING
    try:
        date = tuple(time.gmtime(int(text))[:6])
    except (ValueError, OverflowError, OSError):
        date = (0,)
    if not _BEGINNING <= date < (2108,):
        raise T3DError(
            f"SOURCE_DATE_EPOCH is {text!r}; give the seconds since 1970 of a time from 1980 on (UTC), or unset it."
        )
    return date
