"""BIMCV-R: 8,069 chest CTs with reports from Valencia (Chen et al., arXiv 2403.15992; Hugging Face cyd0806/BIMCV-R).

What this file knows, and from where:

* Layout: the README of the authors' MedFinder code: ``CT*/ct/*.nii.gz`` and ``meta/curated_ct_report_path_En.csv``
  with the columns ``path`` and ``Report_en`` (the report, translated to English). Volumes are matched by file name, as
  there, wherever they lie below the root. Names follow BIDS: ``sub-S311585_ses-E26071_.._ct.nii.gz`` is patient
  S311585, session E26071.
* Splits: none is published. MedFinder takes the first 80 % of the rows for training, which parts patients; here
  validation and test are shares of the patients.
* Duplicates: the runs of a session share its report. A row that repeats another one is named and kept once.
* Rescale: we know of no rule; the values are taken as the headers give them. Look at the HU warning of the training.
* Findings: the release's multi-class table is not read; use ``csv`` for a table of your own.
"""

import re
from pathlib import Path
from typing import Any

from t3d.cohorts.collected import Collected, NotFound, folder_at, nifti_files
from t3d.cohorts.table import known, read_table
from t3d.errors import T3DError
from t3d.volume.file_kind import stem

TABLE = "curated_ct_report_path_En.csv"
LAYOUT = f"meta/{TABLE} and CT*/ct/sub-.._ses-.._ct.nii.gz"
_NAME = re.compile(r"(sub-[A-Za-z0-9]+)_(ses-[A-Za-z0-9]+)_")


def collect(root: str | Path, *, keep_without_report: bool = False) -> Collected:
    """Cases of BIMCV-R.

    Args:
        root: the folder that holds the unpacked CT folders and ``meta``.
        keep_without_report: take volumes without a report too.

    Raises:
        T3DError: no table, a missing column, or one volume with two different reports.
    """
    folder = folder_at(root)
    tables = sorted(folder.rglob(TABLE))
    if not tables:
        raise T3DError(f"{folder}: found no {TABLE}; expected {LAYOUT}. Unpack the meta archive, or correct --root")
    rows = read_table(tables[0], ["path", "Report_en"])
    files = nifti_files(folder)
    collected = Collected(shares=(0.1, 0.2))
    seen: dict[str, str] = {}
    for row in rows:
        name = row["path"].replace("\\", "/").rsplit("/", 1)[-1]
        case, report = stem(name), known(row["Report_en"])
        match = _NAME.match(name)
        if name in seen:
            if seen[name] != report:
                raise T3DError(f"{TABLE}: case {case} has two different reports; remove the wrong row")
            collected.not_found.append(NotFound(case, f"is in {TABLE} twice", kept=True))
            continue
        seen[name] = report
        places = files.pop(name, [None])
        if match is None:
            collected.leave_out(case, "name does not begin with sub-.._ses-.., so its patient is not known")
        elif len(places) > 1:
            collected.leave_out(case, f"file is there {len(places)} times below the root")
        elif not report and not keep_without_report:
            collected.leave_out(case, "report is empty")
        else:
            entries: dict[str, Any] = {
                "patient_id": match[1],
                "study_id": f"{match[1]}_{match[2]}",
                "report": report or None,
            }
            collected.add("training", case, places[0], **entries)
    for name in sorted(files):
        collected.leave_out(stem(name), f"file has no row in {TABLE}")
    return collected
