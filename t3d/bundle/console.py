"""What a person sees when something they can mend goes wrong: one sentence, no traceback."""

import logging
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any

from t3d.errors import NAME, message_in, plain_message


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

    def __init__(self, previous: Callable[..., Any]) -> None:
        self.previous = previous

    def __call__(self, kind: type[BaseException], exc: BaseException, trace: TracebackType | None) -> None:
        message = plain_message(exc)
        if message is None:
            self.previous(kind, exc, trace)
        else:
            sys.stderr.write(f"error: {message}\n")


class _PlainRecords:
    """Log record factory that shortens records carrying a T3DError to its sentence, without the traceback."""

    def __init__(self, previous: Callable[..., Any]) -> None:
        self.previous = previous

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self.previous(*args, **kwargs)
        message = None
        if isinstance(record.exc_info, tuple):
            message = plain_message(record.exc_info[1])
        elif NAME in (text := str(record.msg)):
            message = message_in(text)
        if message is not None:
            record.msg, record.args, record.exc_info = message, None, None
        return record
