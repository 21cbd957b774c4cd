"""Names inside a package that mean the same file, below the package's folder, on every system."""

import re

from t3d.errors import T3DError

_DRIVE_OR_STREAM = ":"
_CONTROL = re.compile(r"[\x00-\x1f]")
_LONGEST = 240


def check_name(name: str, *, source: object) -> str:
    """Return a relative path with forward slashes, unchanged, or refuse it.

    Args:
        name: path of an entry, such as ``configs/train.json``.
        source: the package, for the message.

    Raises:
        T3DError: it is absolute, has a drive letter, climbs (``..``), or is written in a way that systems read
            differently.
    """
    parts = name.split("/")
    unsafe = (
        not name
        or name.startswith("/")
        or "\\" in name
        or _DRIVE_OR_STREAM in name
        or _CONTROL.search(name)
        or any(part in ("", ".", "..") or part != part.strip() or part.endswith(".") for part in parts)
        or len(name) > _LONGEST
    )
    if unsafe:
        raise T3DError(
            f"{source}: the entry {name[:_LONGEST]!r} would be written outside its folder or elsewhere than it seems; "
            "nothing was unpacked. Get the package again from its source."
        )
    return name
