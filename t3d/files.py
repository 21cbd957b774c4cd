"""Files beside weights and results: how JSON is written and read, checksums, and what may be replaced."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from t3d.atomic import write_atomically
from t3d.errors import T3DError

_PART = 1 << 20
_KINDS = {dict: "object", list: "list", str: "text", int: "whole number", float: "number", bool: "yes or no"}


class _Twice(ValueError):
    """A name that stands twice in one object, where JSON would silently keep the last."""


def json_bytes(content: Any, *, indent: int = 2) -> bytes:
    """Readable JSON: UTF-8, LF, names in the order given (a label table's order is that of the channels).

    Raises:
        T3DError: a number is NaN or infinite, for which JSON has no word.
    """
    try:
        text = json.dumps(content, indent=indent, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        place = _not_finite(content)
        if place is None:
            raise
        raise T3DError(
            f"{'.'.join(place)} is NaN or infinite, which is no result; if a network gave it, its training diverged: "
            "choose weights of an earlier checkpoint"
        ) from error
    # half a character, such as a cut emoji, has no UTF-8: as \ud83d it is kept as it came
    return (text + "\n").encode(errors="backslashreplace")


def write_json(path: Path | str, content: Any, *, indent: int = 2) -> None:
    """Write ``json_bytes`` atomically.

    Raises:
        T3DError: the file could not be written; the earlier one is untouched.
    """
    write_atomically({Path(path): json_bytes(content, indent=indent)})


def read_json(
    path: Path | str,
    *,
    what: str,
    remedy: str,
    absent: str | None = None,
    who: str | None = None,
    need: Mapping[str, type] | None = None,
    once: bool = False,
) -> dict[str, Any]:
    """Read the object in a JSON file; UTF-8 with or without the byte order mark that Windows tools put first.

    No text of the file gets into an error or its chain: it may be reports.

    Args:
        path: the file.
        what: what it should be, such as "encoder record".
        remedy: what to do about a file that is not that.
        absent: what to do where there is no file; ``remedy`` if not given.
        who: how messages name the file; its path if not given.
        need: name -> type of the entries that must be there.
        once: refuse a name that stands twice in one object.

    Raises:
        T3DError: no such file, not readable, no UTF-8, no JSON, no object, or an entry is missing or of another type.
    """
    path = Path(path)
    who = who or str(path)
    wrong = f"{who} is no {what}"
    try:
        content = json.loads(path.read_bytes().decode("utf-8-sig"), object_pairs_hook=_once if once else None)
    except FileNotFoundError as error:
        raise T3DError(f"{who} does not exist; {absent or remedy}") from error
    except OSError as error:
        raise T3DError(f"{who} cannot be read ({error.strerror or error}); {absent or remedy}") from error
    except UnicodeDecodeError:
        raise T3DError(f"{who} is not UTF-8 text; save it as UTF-8, or {remedy}") from None
    except json.JSONDecodeError as error:
        # the decoder's error is kept out of the chain: its `doc` attribute holds the whole text
        place = f"line {error.lineno}, column {error.colno}: {error.msg}"
        raise T3DError(f"{wrong}: it is not valid JSON ({place}); {remedy}") from None
    except _Twice as error:
        raise T3DError(f"{who}: {error} is named twice; name it once") from None
    except (RecursionError, ValueError):  # nested too deep, or a number of too many digits
        raise T3DError(f"{wrong}: it is not valid JSON for this reader; {remedy}") from None
    if not isinstance(content, dict):
        raise T3DError(f"{wrong}: it holds a {_KINDS.get(type(content), 'null')} and no object; {remedy}")
    for name, kind in (need or {}).items():
        if not isinstance(content.get(name), kind):
            raise T3DError(f'{wrong}: it has no {_KINDS[kind]} "{name}"; {remedy}')
    return content


def sha256(path: Path | str | bytes) -> str:
    """The SHA-256 of a file, read in parts, or of bytes given in its place, as hexadecimal digits."""
    if isinstance(path, bytes):
        return hashlib.sha256(path).hexdigest()
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while part := file.read(_PART):
            digest.update(part)
    return digest.hexdigest()


def refuse_existing(path: Path | str | Iterable[Path | str], *, overwrite: bool, option: str = "--output_dir") -> None:
    """Refuse to replace what a user has, unless it was asked for.

    Args:
        path: the file that would be written, or several.
        overwrite: whether they may be replaced.
        option: the option that names another place.

    Raises:
        T3DError: names the first that is there.
    """
    paths = [path] if isinstance(path, Path | str) else path
    there = None if overwrite else next((path for path in paths if Path(path).exists()), None)
    if there is not None:
        raise T3DError(f"{there} is already there; choose another {option}, or replace it with --overwrite True")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Twice(", ".join(sorted({name for name in names if names.count(name) > 1})))
    return found


def _not_finite(content: Any, place: tuple[str, ...] = ()) -> tuple[str, ...] | None:
    if isinstance(content, Mapping):
        parts = [(str(name), entry) for name, entry in content.items()]
    elif isinstance(content, list | tuple):
        parts = [(str(number), entry) for number, entry in enumerate(content)]
    else:
        wrong = isinstance(content, float) and (content != content or abs(content) == float("inf"))
        return place if wrong else None
    return next((found for name, entry in parts if (found := _not_finite(entry, (*place, name)))), None)
