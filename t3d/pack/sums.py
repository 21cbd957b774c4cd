"""SHA256SUMS: the checksum of every file, as ``sha256sum`` writes it and ``sha256sum -c`` reads it."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import IO

from t3d.errors import T3DError
from t3d.pack.safe_name import check_name

SUMS = "SHA256SUMS"
OLD = "MANIFEST.json"  # what packages of version 0.1.0 have in its place
_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
_LONGEST = 16 << 20  # bytes; it is read as a whole


def file_sha256(file: IO[bytes]) -> str:
    """SHA-256 of an open binary file, in hexadecimal digits, read in parts."""
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def sums_bytes(sums: Mapping[str, str]) -> bytes:
    """The file's content from {name: SHA-256}; the same checksums give the same bytes."""
    return "".join(f"{sums[name]}  {name}\n" for name in sorted(sums)).encode()


def read_sums(file: IO[bytes], *, source: object) -> dict[str, str]:
    """Name -> SHA-256, from a file that may come from anywhere.

    Args:
        file: content of SHA256SUMS, or of the manifest of a package of version 0.1.0.
        source: for messages.

    Raises:
        T3DError: it is neither, or has unsafe names.
    """
    content = file.read(_LONGEST + 1)
    try:
        if len(content) > _LONGEST:
            raise ValueError("it is too long")
        text = content.decode("utf-8")
        lines = _of_manifest(text) if text.startswith("{") else text.removesuffix("\n").split("\n")
        found = [_LINE.fullmatch(line) for line in lines]
        sums = {match[2]: match[1] for match in found if match is not None}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(source) from error
    if not sums or len(sums) < len(found):
        raise _damaged(source)
    for name in sums:
        check_name(name, source=source)
    return sums


def _of_manifest(text: str) -> list[str]:
    found = json.loads(text)
    return [
        f"{entry['sha256']}  {name}" for part in ("files", "downloads") for name, entry in found.get(part, {}).items()
    ]


def _damaged(source: object) -> T3DError:
    return T3DError(f"{source} is damaged or no list of checksums; get it again from its source.")
