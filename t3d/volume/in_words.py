"""Every error of a library that reads images becomes one sentence of ours; the only list of such errors is here."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

from t3d.errors import T3DError

REMEDY = "the file is damaged, truncated or not an image: copy or export it again"
_said: set[str] = set()


@contextlib.contextmanager
def in_words(who: str) -> Iterator[None]:
    """Raise what goes wrong inside as a T3DError that begins with ``who``.

    Readers of foreign files raise errors of many libraries (zlib, nibabel, pydicom, codecs, ITK), so none is listed.
    A ``T3DError`` and running out of memory, which is no fault of a file, pass as they are.
    """
    try:
        yield
    except (T3DError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - see above
        raise T3DError(f"{who} cannot be read ({type(error).__name__}: {first_line(error)}); {REMEDY}.") from error


def said_of(who: str, error: T3DError, path: Path) -> str:
    """An error of ``open_image`` in the words of a case, with the file's name once.

    Args:
        who: such as "case k1: image k1.nii.gz".
        error: its message begins with the file's name.
        path: of the file.
    """
    message = str(error)
    if path.name in who:
        message = message.removeprefix(path.name).removeprefix(":").strip()
    return f"{who} {message}"


def first_line(error: BaseException) -> str:
    """What an error says, short enough for a sentence."""
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    lines = words.strip().splitlines()
    return lines[0][:160] if lines else "no details"


def say_once(logger: logging.Logger, message: str) -> None:
    """Log a warning about a file unless this process did: a file is read in every epoch."""
    if message not in _said:
        _said.add(message)
        logger.warning("%s", message)
