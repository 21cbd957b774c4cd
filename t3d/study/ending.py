"""Being asked to end (SIGTERM, as clusters send it) is an exception, so that nothing started goes on unseen."""

import signal
from types import FrameType
from typing import NoReturn


def end_when_asked() -> None:
    """Make SIGTERM of this process raise SystemExit; call it in the main thread."""
    signal.signal(signal.SIGTERM, _end)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
