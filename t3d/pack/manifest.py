"""MANIFEST.json: what a package holds, file by file, so that a changed one is found and named."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from t3d.errors import T3DError
from t3d.pack.safe_name import check_name

MANIFEST = "MANIFEST.json"
FORMAT_VERSION = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Entry:
    """A file's SHA-256 in hexadecimal digits and its size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """Content of MANIFEST.json.

    Args:
        bundle: name of the bundle, which is the package's folder.
        bundle_version: version in its metadata.
        t3d_version: version of the copy of ``t3d`` in it.
        files: path below the folder -> entry, for all files but the manifest.
        downloads: the same for weights that are left out and named in ``large_files.yml``.
    """

    bundle: str
    bundle_version: str
    t3d_version: str
    files: Mapping[str, Entry]
    downloads: Mapping[str, Entry] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """The file's content; the same manifest gives the same bytes."""
        content = {"format_version": FORMAT_VERSION, **asdict(self)}
        return (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()

    def entry(self, name: str) -> Entry:
        """What a file must be, whether packed or downloaded."""
        return self.files[name] if name in self.files else self.downloads[name]

    def code(self) -> dict[str, Entry]:
        """The files of the copy of ``t3d``."""
        return {name: entry for name, entry in self.files.items() if name.startswith("t3d/")}


def parse_manifest(content: bytes, *, source: object) -> Manifest:
    """Read a manifest that may come from anywhere.

    Args:
        content: bytes of MANIFEST.json.
        source: the package, for messages.

    Raises:
        T3DError: no manifest, one of a later format, or one with unsafe names.
    """
    try:
        found = json.loads(content)
        version = found["format_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(source) from error
    if version != FORMAT_VERSION:
        raise T3DError(
            f"{source}: {MANIFEST} has format version {version}, this t3d reads {FORMAT_VERSION}; "
            "install the t3d that made the package, or a later one."
        )
    try:
        names = {key: found[key] for key in ("bundle", "bundle_version", "t3d_version")}
        files, downloads = (_entries(found[key], source) for key in ("files", "downloads"))
    except (KeyError, TypeError, AttributeError) as error:
        raise _damaged(source) from error
    if not all(isinstance(value, str) for value in names.values()) or "/" in names["bundle"]:
        raise _damaged(source)
    check_name(names["bundle"], source=source)
    return Manifest(**names, files=files, downloads=downloads)


def _entries(found: Mapping[str, Any], source: object) -> dict[str, Entry]:
    entries = {check_name(name, source=source): Entry(**entry) for name, entry in found.items()}
    for entry in entries.values():
        if not isinstance(entry.size, int) or not _SHA256.fullmatch(entry.sha256):
            raise _damaged(source)
    return entries


def _damaged(source: object) -> T3DError:
    return T3DError(f"{source}: {MANIFEST} is damaged or no manifest; get the package again from its source.")
