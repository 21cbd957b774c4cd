"""The command `t3d check`."""

import sys
from pathlib import Path
from typing import Any

from t3d.errors import T3DError
from t3d.flag import flag


def check(
    datalist: str,
    *,
    fast: bool = False,
    json: str | None = None,  # noqa: A002 - the option's name
    sheet: str | None = None,
    need_report: bool | None = None,
    max_tokens: int = 512,
    allow_no_hu: bool = False,
    workers: int = 1,
    overwrite: bool = False,
) -> None:
    """Say what is wrong with a cohort: files, grids, HU, labels, reports, findings, leaks between the lists.

    The summary goes to stdout. Exit status 0 without faults (there may be warnings), 1 with faults, 2 after wrong
    usage. No report text is shown or written, and cases are named by case_id only. See docs/check.md.

    Args:
        datalist: the cohort's datalist.json.
        fast: read headers only, no voxels.
        json: file for the summary with all faults and warnings.
        sheet: folder for pages with the middle slice of every case.
        need_report: whether a missing report is a fault; without it, where some case has a report.
        max_tokens: what the text encoder reads of a report.
        allow_no_hu: values that are no HU are a warning.
        workers: processes.
        overwrite: replace the files that are there.
    """
    from t3d.check.cohort import check_cohort
    from t3d.check.sheet import Sheet
    from t3d.check.summary import summary_json, summary_text
    from t3d.files import refuse_existing, write_json

    fast, overwrite = flag("fast", fast), flag("overwrite", overwrite)
    target = None if json is None else Path(str(json)).expanduser()
    if target is not None:
        refuse_existing(target, overwrite=overwrite, option="--json")
    if sheet is not None and fast:
        raise T3DError("--sheet shows voxels, --fast reads none; leave one of them out")
    file = Path(str(datalist)).expanduser().absolute()
    checked = check_cohort(
        file,
        fast=fast,
        need_report=None if need_report is None else flag("need_report", need_report),
        max_tokens=_above_zero("max_tokens", max_tokens),
        allow_no_hu=flag("allow_no_hu", allow_no_hu),
        workers=_above_zero("workers", workers),
        sheet=None if sheet is None else Sheet(Path(str(sheet)).expanduser(), overwrite=overwrite),
    )
    if target is not None:
        write_json(target, summary_json(checked, file.name, fast=fast))
    sys.stdout.write(summary_text(checked, file.name, fast=fast))
    if checked.faults:
        raise SystemExit(1)


def _above_zero(name: str, value: Any) -> int:
    if isinstance(value, bool) or not str(value).isdigit() or int(value) < 1:
        raise T3DError(f"--{name} is {value!r}; give a whole number above 0")
    return int(value)
