"""CT-RATE: chest CTs of 21,304 patients with reports (arXiv 2403.17834; Hugging Face ibrahimhamamci/CT-RATE).

What this file knows, and from where:

* Layout and names: the dataset card. ``dataset/train_fixed/train_1/train_1_a/train_1_a_1.nii.gz`` is patient
  train_1, scan a, reconstruction 1. Tables: ``radiology_text_reports/{train,validation}_reports.csv`` (VolumeName,
  Findings_EN, Impressions_EN), ``multi_abnormality_labels/{train,valid}_predicted_labels.csv`` (18 findings that a
  text classifier read from the reports), ``metadata/no_chest_{train,valid}.txt``.
* Splits: train and valid, by patient. Papers report their results on valid, so it becomes the ``test`` list here, and
  ``validation`` is a share of the training patients.
* Duplicates: the reconstructions of a scan are one scan with different kernels and share one report (discussion 70 of
  the dataset: 1,304 patients, 1,564 scans and 3,039 reconstructions in valid).
* Not chest: some volumes are head CTs (discussion 75); the no_chest lists name them.
* Rescale: the volumes of the first release (folders ``train`` and ``valid``) are stored without rescale, spacing,
  origin and direction in their headers (discussion 58; github.com/ibrahimethemhamamci/CT-CLIP issue 28: the
  RescaleSlope and RescaleIntercept of the metadata tables are the true ones). In ``train_fixed`` and ``valid_fixed``
  the values are HU and the headers are right, and applying the table once more would be wrong (issue 50). So only the
  fixed folders are taken.
"""

import re
from pathlib import Path
from typing import Any

from t3d.cohorts.collected import Collected, NotFound, folder_at, nifti_files
from t3d.cohorts.reports import joined_report
from t3d.cohorts.table import finding_states, read_table
from t3d.errors import T3DError, raise_faults

LAYOUT = (
    "dataset/train_fixed/train_1/train_1_a/train_1_a_1.nii.gz and dataset/radiology_text_reports/train_reports.csv"
)
# folder -> (list, report table, label table)
_PARTS = {
    "train": ("training", "train_reports.csv", "train_predicted_labels.csv"),
    "valid": ("test", "validation_reports.csv", "valid_predicted_labels.csv"),
}
_NAME = re.compile(r"((?:train|valid)_\d+)_([a-z]+)_(\d+)\.nii\.gz")


def collect(root: str | Path, *, keep_without_report: bool = False, one_per_scan: bool = False) -> Collected:
    """Cases of CT-RATE.

    Args:
        root: the folder that holds ``dataset``, or that folder itself. Either split may be absent.
        keep_without_report: take volumes without a report too.
        one_per_scan: take the first reconstruction of each scan only; the others are named.

    Raises:
        T3DError: the first release's folders only, no report table, a column is missing, a cell that is no finding.
    """
    folder = folder_at(root)
    folder = folder / "dataset" if (folder / "dataset").is_dir() else folder
    collected = Collected()
    parts = [part for part in _PARTS if (folder / f"{part}_fixed").is_dir()]
    if not parts:
        if any((folder / part).is_dir() for part in _PARTS):
            raise T3DError(
                f"{folder} holds the first release of CT-RATE, whose files have no rescale, spacing and direction in "
                "their headers; download the folders train_fixed and valid_fixed of the dataset"
            )
        raise T3DError(f"{folder}: found neither train_fixed nor valid_fixed; expected {LAYOUT}. Correct --root")
    for part in parts:
        _collect_part(folder, part, collected, keep_without_report, one_per_scan)
    if len(parts) < len(_PARTS):
        absent = (set(_PARTS) - set(parts)).pop()
        collected.notes.append(f"{absent}_fixed is not there, so its cases are in no list")
    collected.notes.append(
        "findings are those the cohort's text classifier read from the reports; they are not read by a radiologist"
    )
    return collected


def _collect_part(
    folder: Path, part: str, collected: Collected, keep_without_report: bool, one_per_scan: bool
) -> None:
    split, report_table, label_table = _PARTS[part]
    reports = read_table(
        folder / "radiology_text_reports" / report_table, ["VolumeName", "Findings_EN", "Impressions_EN"]
    )
    labels = _labels(folder / "multi_abnormality_labels" / label_table, collected)
    not_chest = _not_chest(folder / "metadata" / f"no_chest_{part}.txt", collected)
    files = nifti_files(folder / f"{part}_fixed")
    scans: set[str] = set()
    seen: set[str] = set()
    for row in sorted(reports, key=lambda row: _order(row["VolumeName"])):
        name = row["VolumeName"]
        case = name.removesuffix(".nii.gz")
        match = _NAME.fullmatch(name)
        places = files.pop(name, [None])
        if match is None:
            collected.leave_out(case, "VolumeName is not of the form train_1_a_1.nii.gz")
            continue
        scan = f"{match[1]}_{match[2]}"
        if name in seen:
            collected.not_found.append(NotFound(case, f"is in {report_table} twice", kept=True))
            continue
        seen.add(name)
        report = joined_report(row["Findings_EN"], row["Impressions_EN"])
        if name in not_chest:
            collected.leave_out(case, f"no chest CT, says metadata/no_chest_{part}.txt")
        elif report is None and not keep_without_report:
            collected.leave_out(case, "report is empty")
        elif one_per_scan and scan in scans:
            collected.leave_out(case, f"another reconstruction of scan {scan} (one_per_scan)")
        else:
            entries: dict[str, Any] = {
                "patient_id": match[1],
                "study_id": scan,
                "report": report,
                "findings": labels.get(name),
            }
            if collected.add(split, case, places[0], **entries):
                scans.add(scan)
                if labels and name not in labels:
                    collected.not_found.append(NotFound(case, f"findings are not in {label_table}", kept=True))
    for name in sorted(files):
        collected.leave_out(name.removesuffix(".nii.gz"), f"file has no row in {report_table}")


def _labels(file: Path, collected: Collected) -> dict[str, dict]:
    if not file.is_file():
        collected.notes.append(f"multi_abnormality_labels/{file.name} is not there: its cases have no findings")
        return {}
    rows = read_table(file, ["VolumeName"])
    names = [name for name in rows[0] if name != "VolumeName"]
    faults: list[str] = []
    labels = {row["VolumeName"]: finding_states(row, names, f"case {row['VolumeName']}", faults) for row in rows}
    raise_faults(faults, file.name)
    return labels


def _not_chest(file: Path, collected: Collected) -> set[str]:
    if not file.is_file():
        collected.notes.append(f"metadata/{file.name} is not there: head CTs among the volumes are not left out")
        return set()
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    names = {line.strip().rsplit("/", 1)[-1] for line in lines if line.strip()}
    return {name if name.endswith(".nii.gz") else f"{name}.nii.gz" for name in names}


def _order(name: str) -> tuple:
    match = _NAME.fullmatch(name)
    return (0, int(match[1].split("_")[1]), match[2], int(match[3])) if match else (1, 0, name, 0)
