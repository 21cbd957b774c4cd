"""A cohort of phantoms as hospitals have it: a DICOM folder per CT and a CSV table, and the datalist made of them."""

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
from dicom_writer import write_series

from t3d.cohorts.command import cohort as cohort_command


def write_dicom_cohort(source: Path, folder: Path, *, counts: dict[str, int]) -> Path:
    """Write the first ``counts`` cases of each list of a NIfTI cohort as DICOM, and ``folder/datalist.json``."""
    lists = json.loads((source / "datalist.json").read_text())
    rows, findings = [], None
    for split, count in counts.items():
        for item in lists[split][:count]:
            findings = findings or list(item["findings"])
            image, label = (_in_lps(source / item[key]) for key in ("image", "label"))
            # rows and columns of a DICOM slice run to the left and to the back
            spacing = np.linalg.norm(image.affine[:3, :3], axis=0)
            origin = image.affine[:3, 3] * (-1, -1, 1)
            hu = np.asarray(image.dataobj) // 2 * 2
            affine = write_series(folder / "scans" / item["case_id"], hu, spacing=tuple(spacing), origin=tuple(origin))
            name = f"{item['case_id']}_label.nii.gz"
            nib.save(nib.Nifti1Image(np.asarray(label.dataobj).astype(np.uint8), affine), folder / name)
            row = {"image": f"scans/{item['case_id']}", "label": name, "split": split, "patient": item["patient_id"]}
            rows.append({**row, "report": item["report"], **item["findings"]})
    with open(folder / "table.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    cohort_command(
        "csv", root=str(folder), out=str(folder / "datalist.json"), report_column="report", label_column="label",
        patient_column="patient", split_column="split", findings_columns=",".join(findings),
    )  # fmt: skip
    return folder


def _in_lps(file: Path) -> nib.Nifti1Image:
    volume = nib.load(file)
    turn = nib.orientations.ornt_transform(nib.io_orientation(volume.affine), nib.orientations.axcodes2ornt("LPS"))
    return volume.as_reoriented(turn)
