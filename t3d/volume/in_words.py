"""Every error of a library that reads images becomes one sentence of ours; the only list of such errors is here."""

import contextlib
import logging
from collections.abc import Iterator

from t3d.errors import T3DError

REMEDY = "the file is damaged, truncated or not an image: copy or export it again"
_said: set[str] = set()


@contextlib.contextmanager
def in_words(who: str | None, part: str = "") -> Iterator[None]:
    """Raise what goes wrong inside as a T3DError about ``who``.

    Readers of foreign files raise errors of many libraries (zlib, nibabel, pydicom, codecs, ITK), so none is listed.
    A ``T3DError`` and running out of memory, which is no fault of a file, pass as they are.

    Args:
        who: file or folder, see ``T3DError``.
        part: of it, such as one file of a folder.
    """
    try:
        yield
    except (T3DError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - see above
        what = f"{part} cannot be read" if part else "cannot be read"
        found = f"{what} ({type(error).__name__}: {first_line(error)})"
        raise T3DError(found, who=who, remedy=REMEDY) from error


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
