"""Faults of a cohort's datalist, each as one line: the case, what was found, the remedy."""

from collections import Counter, defaultdict
from pathlib import Path

from t3d.data.report_format import report_format_fault
from t3d.data.wordings import REPORTS
from t3d.volume.file_kind import exists


def duplicate_cases(splits: dict[str, list[dict]]) -> list[str]:
    """Cases named more than once, also in different lists."""
    counts = Counter(item["case_id"] for items in splits.values() for item in items)
    return [
        f"case {case}: case_id is used {n} times; case ids must be distinct, also between lists"
        for case, n in counts.items()
        if n > 1
    ]


def shared_patients(splits: dict[str, list[dict]]) -> list[str]:
    """Patients whose cases are in more than one list: the held-out numbers would be too good."""
    places: dict[str, dict[str, str]] = defaultdict(dict)
    for name, items in splits.items():
        for item in items:
            places[item["patient_id"]].setdefault(name, item["case_id"])
    # named by their cases: messages end in logs, where patients have no place
    return [
        f"cases {' and '.join(f'{case} ({name})' for name, case in sorted(cases.items()))}: are of one patient; keep "
        "all cases of a patient in one list"
        for cases in places.values()
        if len(cases) > 1
    ]


def file_faults(item: dict) -> list[str]:
    """Missing and empty files of one case."""
    faults = []
    for key in ("image", "label"):
        if not isinstance(item.get(key), str):
            continue
        file = Path(item[key])
        if not exists(file):
            faults.append(f"case {item['case_id']}: {key} {file} does not exist; correct the path")
        elif file.is_file() and file.stat().st_size == 0:
            faults.append(f"case {item['case_id']}: {key} {file.name} has 0 bytes; copy or export it again")
    return faults


def report_faults(item: dict) -> list[str]:
    """A report of one case that is missing, empty or no plain text; the report itself is never quoted."""
    faults = _report_faults(item["case_id"], item.get("report"))
    wordings = item.get(REPORTS)
    if wordings is None or faults:
        return faults
    if not isinstance(wordings, list) or item["report"] not in wordings:
        return [f"case {item['case_id']}: reports is no list with its report; list every wording, or leave it out"]
    return [fault for text in wordings for fault in _report_faults(item["case_id"], text)]


def _report_faults(case: str, report: object) -> list[str]:
    if isinstance(report, str) and report.strip():
        fault = report_format_fault(report)
        return [f"case {case}: report {fault}"] if fault else []
    found = "has no report" if report is None else "has an empty report"
    if report is not None and not isinstance(report, str):
        found = f"has a {type(report).__name__} as report, not text"
    return [f"case {case}: {found}; add the text, remove the case or train with --use_text False"]
