"""Weights that are too large for a package: left out, named in large_files.yml, downloaded by MONAI."""

import contextlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

from t3d.errors import T3DError
from t3d.pack.bundle_files import Contents

LARGE_FILES = "large_files.yml"
_PATH = "  - path: "  # how an entry begins
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


def large_files_yml(sums: Mapping[str, str], *, url: str) -> bytes:
    """The file that ``monai.bundle.download_large_files`` reads.

    Args:
        sums: path below the bundle's folder -> SHA-256.
        url: where the paths lie, without a last slash.
    """
    lines = ["large_files:"]
    for name in sorted(sums):
        lines += [
            f"{_PATH}{json.dumps(name)}",
            f"    url: {json.dumps(f'{url}/{name}')}",
            f"    hash_val: {json.dumps(sums[name])}",
            '    hash_type: "sha256"',
        ]
    return ("\n".join(lines) + "\n").encode()


def names_in(content: bytes) -> list[str]:
    """The paths that such a file names; none of a file that was written otherwise."""
    lines = [line for line in content.decode("utf-8", "replace").splitlines() if line.startswith(_PATH)]
    with contextlib.suppress(ValueError):
        return [str(json.loads(line.removeprefix(_PATH))) for line in lines]
    return []
