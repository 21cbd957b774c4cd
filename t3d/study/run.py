"""Runs the cells of a study: several side by side, each after what it needs, one failing alone."""

import concurrent.futures
import contextlib
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from t3d.files import write_json
from t3d.study.graph import Cell
from t3d.study.progress import Progress
from t3d.study.run_cell import CELL, DONE, FAILED, LOG

logger = logging.getLogger(__name__)

CELLS = "cells"


def is_done(out_dir: Path, key: str) -> bool:
    """Whether a cell has its result."""
    return (out_dir / CELLS / key / DONE).is_file()


def run_cells(cells: Mapping[str, Cell], out_dir: Path, *, bundles: Path, workers: int) -> dict[str, str]:
    """Run what is not done yet.

    Args:
        cells: by their keys, each after those that it needs.
        out_dir: of the study.
        bundles: folder of the bundles.
        workers: cells side by side.

    Returns:
        Key -> one sentence, of every cell that has no result.
    """
    waiting = [cell for cell in cells.values() if not is_done(out_dir, cell.key)]
    progress = Progress(cells, out_dir / CELLS, waiting=waiting, workers=workers)
    faults: dict[str, str] = {}
    processes = _Processes(out_dir, bundles, workers)
    running: dict[concurrent.futures.Future, Cell] = {}
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        try:
            while waiting or running:
                for cell in list(waiting):
                    lost = next((need for need in cell.needs.values() if need in faults), None)
                    ready = all(is_done(out_dir, need) for need in cell.needs.values())
                    if lost is not None:
                        faults[cell.key] = f"not run, because {cells[lost].name} failed"
                        waiting.remove(cell)
                        progress.left_out(cell)
                    elif ready and len(running) < workers:
                        running[pool.submit(processes.run, cell, alone=not running)] = cell
                        waiting.remove(cell)
                if not running:
                    continue
                ended, _ = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
                for future in ended:
                    cell = running.pop(future)
                    fault = future.result()
                    if fault is not None:
                        faults[cell.key] = fault
                    progress.ended(cell, failed=fault is not None)
        finally:
            processes.stop()  # Ctrl-C or SIGTERM: no training goes on unseen
    return faults


class _Processes:
    """Cells as processes, each with its share of the processors."""

    def __init__(self, out_dir: Path, bundles: Path, workers: int) -> None:
        self.out_dir, self.bundles, self.workers = out_dir, bundles, workers
        threads = max(1, (os.cpu_count() or 1) // workers)
        own = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(part for part in (own, os.environ.get("PYTHONPATH")) if part)
        # small tensors run slower on many threads, and the number of threads rounds sums otherwise
        self.environment = {
            "OMP_NUM_THREADS": str(min(4, threads)), "MPLBACKEND": "Agg", **os.environ, "PYTHONPATH": path
        }  # fmt: skip
        self.running: set[subprocess.Popen] = set()
        self.guard = threading.Lock()

    def run(self, cell: Cell, *, alone: bool) -> str | None:
        """Run one cell and return its fault, if it has one."""
        folder = self.out_dir / CELLS / cell.key
        content = {
            "name": cell.name,
            "kind": cell.kind,
            "settings": cell.settings,
            "needs": cell.needs,
            "bundles": str(self.bundles),
            # the cohort comes before everything else and has the machine for itself
            "workers": self.workers if alone else 1,
        }
        write_json(folder / CELL, content)
        command = [sys.executable, "-m", "t3d.study.run_cell", str(folder)]
        with open(folder / LOG, "ab") as log:
            with self.guard:
                process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=self.environment)
                self.running.add(process)
            status = process.wait()
        self.running.discard(process)
        return None if status == 0 else _fault(folder / LOG, status)

    def stop(self) -> None:
        """End what still runs."""
        with self.guard:
            for process in list(self.running):
                with contextlib.suppress(OSError):
                    process.terminate()


def _fault(log: Path, status: int) -> str:
    """The last error that a log tells, or where to look."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-200:]
    said = next((line.strip() for line in reversed(lines) if FAILED in line), None)
    why = said.partition(FAILED)[2] if said else f"it ended with status {status}"
    return f"{why} (see {log})"


def share_of(cells: Mapping[str, Cell], job: tuple[int, int]) -> dict[str, Cell]:
    """The cells of job I of N: every N-th group (an arm with its seed), and all that those need.

    What several jobs need (the cohort) is made by the one that comes first; the others wait at its lock.
    """
    number, jobs = job
    groups: Sequence[str] = list(dict.fromkeys(cell.group for cell in cells.values() if cell.group))
    mine = {group for place, group in enumerate(groups) if place % jobs == number - 1}
    wanted: set[str] = set()
    for key in reversed(list(cells)):
        if cells[key].group in mine or key in wanted:
            wanted |= {key, *cells[key].needs.values()}
    return {key: cell for key, cell in cells.items() if key in wanted}
