"""What a person sees when something they can mend goes wrong: one sentence, no traceback."""

import logging
import sys
from types import TracebackType

from t3d.errors import T3DError

_NAME = f"{T3DError.__module__}.{T3DError.__qualname__}: "
# What Python's traceback printer and torch's DataLoader put after an exception's own words.
_AFTER_MESSAGE = (
    "\n\nThe above exception was the direct cause",
    "\n\nDuring handling of the above exception",
    "\nTraceback (most recent call last)",
)


def plain_message(exc: BaseException | None) -> str | None:
    """The words of the T3DError behind an exception, or None when there is none.

    Looks along `__cause__` and `__context__` (MONAI's `apply_transform` and config parser wrap errors that
    way), and into the text, because a DataLoader worker sends its exception home as formatted text.
    """
    seen: set[int] = set()
    queue = [exc]
    while queue:
        current = queue.pop(0)
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        text = str(current)
        if _NAME in text:
            return _message_in(text)
        if isinstance(current, T3DError):
            return text
        queue += [current.__cause__, None if current.__suppress_context__ else current.__context__]
    return None


def _message_in(text: str) -> str:
    """The part of a formatted traceback between the error's class name and the next exception.

    Python prints causes first, so the last T3DError of the text is the outermost, as in a live chain.
    """
    message = text.rsplit(_NAME, 1)[1]
    for end in _AFTER_MESSAGE:
        message = message.split(end, 1)[0]
    return message.strip()


def plain_errors() -> None:
    """From now on a T3DError ends the program with "error: <message>" on stderr and status 1.

    Other exceptions keep their traceback. Log records about a T3DError (ignite's "Engine run is terminating",
    MONAI's StatsHandler with its traceback) are reduced to the same sentence, whichever handler prints them.
    May be called more than once.
    """
    if not isinstance(sys.excepthook, _PlainHook):
        sys.excepthook = _PlainHook(sys.excepthook)
    if not isinstance(logging.getLogRecordFactory(), _PlainRecords):
        # A filter on a logger does not see its children's records, and one on a handler misses the handlers
        # that MONAI and ignite add later; the record factory sees every record.
        logging.setLogRecordFactory(_PlainRecords(logging.getLogRecordFactory()))


class _PlainHook:
    """`sys.excepthook` that prints a T3DError as one sentence and leaves the rest to the hook before it."""

    def __init__(self, previous) -> None:
        self.previous = previous

    def __call__(self, kind: type[BaseException], exc: BaseException, trace: TracebackType | None) -> None:
        message = plain_message(exc)
        if message is None:
            self.previous(kind, exc, trace)
        else:
            sys.stderr.write(f"error: {message}\n")


class _PlainRecords:
    """Log record factory that shortens records carrying a T3DError to its sentence, without the traceback."""

    def __init__(self, previous) -> None:
        self.previous = previous

    def __call__(self, *args, **kwargs) -> logging.LogRecord:
        record = self.previous(*args, **kwargs)
        message = None
        if isinstance(record.exc_info, tuple):
            message = plain_message(record.exc_info[1])
        elif _NAME in (text := str(record.msg)):
            message = _message_in(text)
        if message is not None:
            record.msg, record.args, record.exc_info = message, None, None
        return record
