"""How far a long run is, as log lines with the remaining time."""

import logging
import time

logger = logging.getLogger(__name__)


class Progress:
    """Logs the share done and the time left, at most every few seconds and at the end.

    Args:
        total: steps in all.
        every: least seconds between two lines.
    """

    def __init__(self, total: int, *, every: float = 5.0) -> None:
        self.total, self.every, self.done = total, every, 0
        self.started = self.told = time.monotonic()

    def step(self, *, failed: int = 0) -> None:
        """One more is done."""
        self.done += 1
        now = time.monotonic()
        if now - self.told < self.every and self.done < self.total:
            return
        self.told = now
        left = (now - self.started) / self.done * (self.total - self.done)
        bar = "#" * round(20 * self.done / self.total)
        more = f", {failed} failed" if failed else ""
        logger.info("[%-20s] %d of %d cases%s, %s left", bar, self.done, self.total, more, _duration(left))


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
