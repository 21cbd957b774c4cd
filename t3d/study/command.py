"""The command `t3d study`."""

import logging
import re
from pathlib import Path

from t3d.errors import T3DError
from t3d.flag import flag

logger = logging.getLogger(__name__)


def study(
    plan: str,
    *,
    out_dir: str,
    workers: int = 1,
    job: str | None = None,
    bundles_dir: str | None = None,
    cohort_dir: str | None = None,
    encoder: str | None = None,
    dry_run: bool = False,
) -> None:
    """Train and compare arms by a plan, and say with intervals whether the reports help.

    Killed or stopped, the same command goes on where it was. A changed plan redoes only what the change touches.
    Exit status 1 when a cell failed; what does not need it is done, and the table is of what there is.

    Args:
        plan: a JSON file, or a plan that is shipped: study_cpu, study_gpu, or a public benchmark such as ct_rate;
            docs/study.md says what it holds.
        out_dir: folder of the study; results.csv, results.md and results.png come there.
        workers: cells side by side, as processes of this machine.
        job: I/N does the I-th of N shares, for an array job of a cluster; afterwards the command without it makes
            the table.
        bundles_dir: folder of the bundles, if not that of the source repository around this t3d.
        cohort_dir: of a public benchmark: the folder it was unpacked to; of several, ct_rate=A,rad_chestct=B.
        encoder: of a plan with given encoders: the ckpt_dir of a pre-training; of several, NAME=A,OTHER=B.
        dry_run: only say which cells there are and which of them are done.
    """
    from t3d.study.ending import end_when_asked
    from t3d.study.study import run_study

    end_when_asked()
    faults = run_study(
        str(plan),
        Path(str(out_dir)),
        workers=_at_least_one(workers),
        job=None if job is None else _job(str(job)),
        bundles_dir=None if bundles_dir is None else Path(str(bundles_dir)),
        cohort_dir=cohort_dir,
        encoder=encoder,
        dry_run=flag("dry_run", dry_run),
    )
    for fault in faults:
        logger.error("%s", fault)
    if faults:
        raise T3DError(f"{len(faults)} cells have no result, see above; mend it and run the same command again.")


def _at_least_one(workers: int) -> int:
    if workers < 1:
        raise T3DError(f"--workers is {workers}; set it to 1 or more")
    return workers


def _job(text: str) -> tuple[int, int]:
    parts = re.fullmatch(r"(\d+)/(\d+)", text)
    if parts is None or not 1 <= int(parts[1]) <= int(parts[2]):
        raise T3DError(f"--job is {text!r}; give share and number of shares, such as 3/8")
    return int(parts[1]), int(parts[2])
