"""How far a study is, and how much time is left."""

import logging
from collections.abc import Collection, Mapping
from pathlib import Path

from t3d.files import read_json
from t3d.study.graph import Cell
from t3d.study.run_cell import DONE

logger = logging.getLogger(__name__)


class Progress:
    """One line for every cell that ends.

    Time left: every waiting cell takes what finished ones of its kind took, in this or an earlier session.

    Args:
        cells: all of this run.
        folder: of the cells.
        waiting: those that are not done.
        workers: cells side by side.
    """

    def __init__(self, cells: Mapping[str, Cell], folder: Path, *, waiting: Collection[Cell], workers: int) -> None:
        self.folder, self.workers, self.total = folder, workers, len(cells)
        self.waiting = {cell.key: cell for cell in waiting}
        self.seconds: dict[str, list[float]] = {}
        for cell in cells.values():
            if cell.key not in self.waiting:
                self._learn(cell)
        done = self.total - len(self.waiting)
        logger.info("%d cells, %d of them done", self.total, done)

    def left_out(self, cell: Cell) -> None:
        """A cell that is not run."""
        self.waiting.pop(cell.key, None)

    def ended(self, cell: Cell, *, failed: bool) -> None:
        """Say that a cell ended."""
        self.waiting.pop(cell.key, None)
        took = "failed" if failed else f"took {duration(self._learn(cell))}"
        done = self.total - len(self.waiting)
        bar = "#" * round(20 * done / self.total)
        logger.info("[%-20s] %d of %d, %s left: %s %s", bar, done, self.total, self._left(), cell.name, took)

    def _learn(self, cell: Cell) -> float:
        record = read_json(self.folder / cell.key / DONE, what="record of a cell", remedy="delete its folder")
        self.seconds.setdefault(cell.kind, []).append(float(record["seconds"]))
        return float(record["seconds"])

    def _left(self) -> str:
        every = [one for times in self.seconds.values() for one in times]
        if not self.waiting or not every:
            return "nothing" if not self.waiting else "unknown time"

        def expected(kind: str) -> float:
            times = self.seconds.get(kind, every)
            return sum(times) / len(times)

        unknown = {cell.kind for cell in self.waiting.values()} - set(self.seconds)
        seconds = sum(expected(cell.kind) for cell in self.waiting.values()) / self.workers
        return f"{'at least ' if unknown else ''}{duration(seconds)}"


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, for people."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
