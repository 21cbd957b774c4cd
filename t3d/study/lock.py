"""A folder that one process works on at a time; the lock goes with the process, however it ends."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: there a study runs in one process at a time
    fcntl = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[int | None]:
    """Hold the lock on a file; waits while another process holds it.

    Processes that inherit the descriptor hold it, too: a training whose study was killed keeps its folder until it
    ends, so that no second one writes beside it.

    Yields:
        The descriptor; None where the system has no such locks.
    """
    if fcntl is None:
        yield None
        return
    with open(path, "a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logger.info("another process works on %s; waiting for it", path.parent.name)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()
