"""Weights that are too large for a package: left out, named in large_files.yml, downloaded by MONAI."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

from t3d.errors import T3DError
from t3d.pack.bundle_files import Contents, file_sha256
from t3d.pack.manifest import Entry

LARGE_FILES = "large_files.yml"
_URL = re.compile(r"(https?|file)://[^\s\"'#]+")


def checked_url(url: str) -> str:
    """A base URL without its last slash.

    Raises:
        T3DError: no URL, or one with a "#", which MONAI's configurations read as a path inside themselves.
    """
    if not _URL.fullmatch(url):
        raise T3DError(f"--large_files_url is {url!r}; give where the files will lie, such as https://host/folder.")
    return url.rstrip("/")


def split_large(contents: Contents, *, limit: int) -> dict[str, Path]:
    """Take the weights, also exported ones, with more than ``limit`` bytes out of the contents, and return them."""
    large = {
        name: content
        for name, content in contents.items()
        if name.startswith(("models/", "export/")) and isinstance(content, Path) and content.stat().st_size > limit
    }
    for name in large:
        del contents[name]
    return large


def entries_of(large: Mapping[str, Path]) -> dict[str, Entry]:
    """What the manifest says of files that are left out."""
    entries = {}
    for name, path in large.items():
        with open(path, "rb") as file:
            entries[name] = Entry(file_sha256(file), path.stat().st_size)
    return entries


def large_files_yml(entries: Mapping[str, Entry], *, url: str) -> bytes:
    """The file that ``monai.bundle.download_large_files`` reads.

    Args:
        entries: path below the bundle's folder -> entry.
        url: where the paths lie, without a last slash.
    """
    lines = ["large_files:"]
    for name in sorted(entries):
        lines += [
            f"  - path: {json.dumps(name)}",
            f"    url: {json.dumps(f'{url}/{name}')}",
            f"    hash_val: {json.dumps(entries[name].sha256)}",
            '    hash_type: "sha256"',
        ]
    return ("\n".join(lines) + "\n").encode()
