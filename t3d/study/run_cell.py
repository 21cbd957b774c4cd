"""One cell as a process of its own: `python -m t3d.study.run_cell FOLDER` does what its cell.json says.

A cell's folder holds ``cell.json`` (what it is), ``log.txt``, ``lock``, what its runs leave, and, last of all,
``done.json``. Whoever has the lock works on the cell; whoever comes second waits and finds it done.
"""

import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import t3d
from t3d.errors import T3DError, plain_message
from t3d.files import read_json, write_json
from t3d.study.bundle_run import BundleFailed
from t3d.study.ending import end_when_asked
from t3d.study.lock import locked

CELL, DONE, LOG = "cell.json", "done.json", "log.txt"
FAILED = "error: "


class Work(NamedTuple):
    """What a cell's work is given.

    Attributes:
        folder: of the cell.
        settings: see ``t3d.study.graph.Cell``.
        needs: role -> folder of a finished cell.
        bundles: folder of the bundles.
        workers: processes that it may use.
        lock: file descriptor that its own processes must inherit.
    """

    folder: Path
    settings: dict
    needs: dict[str, Path]
    bundles: Path
    workers: int
    lock: int | None


def run_cell(folder: Path) -> None:
    """Do the work of a cell, unless it is done.

    Raises:
        T3DError: what the work raises; its folder is kept, and the next call goes on.
    """
    content = read_json(folder / CELL, what="cell of a study", remedy="delete its folder and run the study again")
    with locked(folder / "lock") as descriptor:
        if (folder / DONE).is_file():
            return
        started = time.monotonic()
        needs = {role: folder.parent / key for role, key in content["needs"].items()}
        bundles = Path(content["bundles"])
        work = Work(folder, content["settings"], needs, bundles, content["workers"], descriptor)
        _work_of(content["kind"])(work)
        record = {"name": content["name"], "kind": content["kind"], "version": t3d.__version__}
        # of this process and its runs: what sizes a plan on a machine that others use as well
        processor = sum(os.times()[:4])
        seconds = {"seconds": round(time.monotonic() - started, 1), "processor_seconds": round(processor, 1)}
        write_json(folder / DONE, {**record, **seconds})


def _work_of(kind: str) -> Callable[[Work], None]:
    """Torch is imported only where it is needed: half of the cells are small."""
    if kind == "cohort":
        from t3d.study.cells_data import cohort_cell

        return cohort_cell
    if kind == "probe":
        from t3d.study.cells_data import probe_cell

        return probe_cell
    if kind == "given":
        from t3d.study.given_encoder import given_cell

        return given_cell
    from t3d.study import cells_model

    return {
        "pretraining": cells_model.pretraining_cell,
        "oracle": cells_model.oracle_cell,
        "features": cells_model.features_cell,
        "fine_tuning": cells_model.fine_tuning_cell,
        "text_task": cells_model.text_task_cell,
        "restoration": cells_model.restoration_cell,
    }[kind]


def main(folder: str) -> int:
    """Run a cell; the last line of what it says is the error, if there is one."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    logging.getLogger("t3d").setLevel(logging.INFO)
    end_when_asked()
    try:
        run_cell(Path(folder))
    except BundleFailed as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except T3DError as error:
        sys.stderr.write(f"{FAILED}{plain_message(error)}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
