"""The record of a prepared case: from what it was made, how, and whether it still holds."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from t3d.errors import T3DError
from t3d.files import read_json, sha256

_PART = 2**20


def fingerprint(path: Path, folder: Path) -> dict[str, Any]:
    """Path relative to the datalist's folder, size, time of change and sha256 of a file or of a folder's files."""
    size, changed = _state(path)
    digest = hashlib.sha256()
    for file in _files(path):
        if path.is_dir():
            digest.update(file.name.encode() + b"\0")
        with open(file, "rb") as stream:
            while part := stream.read(_PART):
                digest.update(part)
    return {
        "path": _relative(path, folder),
        "sha256": digest.hexdigest(),
        "size": size,
        "mtime_ns": changed,
    }


def read_record(path: Path) -> dict[str, Any] | None:
    """A case's record, or None where there is none or a broken one; then the case is prepared (again)."""
    try:
        needed = dict.fromkeys(("sources", "settings", "files"), dict)
        return read_json(path, what="record of a prepared case", remedy="prepare the case again", need=needed)
    except T3DError:
        return None


def is_current(
    record: Mapping[str, Any], item: Mapping[str, Any], settings: Mapping[str, Any], out_dir: Path, *, verify: bool
) -> bool:
    """Whether a case need not be prepared again.

    The sources count as unchanged when size and time of change are, or else when their sha256 is. The stored files
    must be there in their size, and with ``verify`` in their bytes.
    """
    sources = {key: Path(item[key]) for key in ("image", "label") if item.get(key)}
    if record["settings"] != dict(settings) or set(record["sources"]) != set(sources):
        return False
    for name, known in record["files"].items():
        file = out_dir / name
        if not file.is_file() or file.stat().st_size != known["size"]:
            return False
        if verify and sha256(file) != known["sha256"]:
            return False
    return all(is_unchanged(sources[key], known) for key, known in record["sources"].items())


def same_source(record: Mapping[str, Any], item: Mapping[str, Any]) -> bool:
    """Whether the image a record was made from has the bytes of this item's image."""
    path = Path(item["image"])
    return path.exists() and is_unchanged(path, record["sources"]["image"])


def is_unchanged(path: Path, known: Mapping[str, Any]) -> bool:
    """Whether a source has the size and time of change of its fingerprint, or else its sha256."""
    try:
        size, changed = _state(path)
        if size != known["size"]:
            return False
        return changed == known["mtime_ns"] or fingerprint(path, path.parent)["sha256"] == known["sha256"]
    except OSError:
        return False


def _files(path: Path) -> list[Path]:
    return sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]


def _state(path: Path) -> tuple[int, int]:
    states = [file.stat() for file in _files(path)]
    if not states:
        raise T3DError(f"{path} is an empty folder; it must hold one DICOM series")
    return sum(state.st_size for state in states), max(state.st_mtime_ns for state in states)


def _relative(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive of a Windows machine
        return path.as_posix()
