"""RAD-ChestCT: 3,630 chest CTs with 84 findings, no reports (Draelos et al. 2021; Zenodo record 6406114).

What this file knows, and from where:

* Layout: the Zenodo record. ``trn00001.npz``, ``val..``, ``tst..`` and
  ``img{train,valid,test}_Abnormality_and_Location_Labels.csv``: NoteAcc_DEID is the file's name, and the other columns
  are ABNORMALITY*LOCATION, 0 or 1. A finding here is an abnormality at any location.
  ``CT_Scan_Metadata_Complete_35747.csv`` has the patient of each scan (MRN_DEID).
* Splits: the published ones, in the names.
* Volumes: github.com/rachellea/ct-volume-preprocessing, preprocess_volumes.py: key ``ct``, int16 HU, clipped to
  [-1000, 1000], spacing 0.8 mm in all directions, axes (slice, row, column) from superior to inferior, anterior to
  posterior and the patient's right to left. No rescale is left to do. NumPy files have no header, so they are
  written as NIfTI files once.
"""

import gzip
import logging
import zipfile
from collections.abc import Iterator
from pathlib import Path

from t3d.atomic import write_atomically
from t3d.cohorts.collected import Collected, NotFound, folder_at
from t3d.cohorts.table import finding_states, read_table
from t3d.errors import T3DError, raise_faults

logger = logging.getLogger(__name__)

LAYOUT = "trn00001.npz .. and imgtrain_Abnormality_and_Location_Labels.csv"
_SPLITS = {"trn": ("training", "train"), "val": ("validation", "valid"), "tst": ("test", "test")}
_METADATA = "CT_Scan_Metadata_Complete_35747.csv"
_SPACING = 0.8  # mm


def collect(root: str | Path, *, convert_dir: str | None = None) -> Collected:
    """Cases of RAD-ChestCT.

    Args:
        root: folder with the .npz files and the tables, in any sub-folders.
        convert_dir: folder for the NIfTI files. A file that is there is not made again, so a stopped run goes on.

    Raises:
        T3DError: no volumes or label tables, no ``convert_dir``, a cell that is no finding.
    """
    folder = folder_at(root)
    files = {file.stem: file for file in sorted(folder.rglob("*.npz"))}
    if not files:
        raise T3DError(f"{folder}: found no .npz file; expected {LAYOUT}. Correct --root")
    if convert_dir is None:
        raise T3DError(
            f"{folder} holds {len(files)} NumPy volumes, which have no header; give --convert_dir, a folder for the "
            "NIfTI files that are made of them (about as large as the .npz files)"
        )
    collected = Collected(shares=(0.0, 0.0))
    patients = _patients(folder, collected)
    target = Path(convert_dir).expanduser().absolute()
    for split, case, findings in _labelled(folder, collected):
        file = files.pop(case, None)
        image = None if file is None else _converted(file, target / f"{case}.nii.gz", case, collected)
        if file is not None and image is None:
            continue
        if case not in patients:
            collected.not_found.append(NotFound(case, f"patient is not in {_METADATA}", kept=True))
        collected.add(split, case, image, patient_id=patients.get(case, case), findings=findings)
    for case in sorted(files):
        collected.leave_out(case, "file has no row in a label table")
    collected.notes.append("there are no reports: for pre-training pass --use_text False, or another cohort")
    return collected


def convert(source: Path) -> bytes:
    """The bytes of a .nii.gz file of a RAD-ChestCT volume.

    Raises:
        T3DError: no readable .npz file, or without a 3D array ``ct``.
    """
    import nibabel as nib
    import numpy as np

    try:
        with np.load(source) as arrays:
            volume = arrays["ct"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise T3DError(f"{source.name} is no RAD-ChestCT volume ({type(error).__name__}); download it again") from None
    if volume.ndim != 3:
        raise T3DError(f"{source.name} has an array of {volume.ndim} dimensions; download it again")
    # (slice, row, column) runs to inferior, posterior and left, which are the negative directions of RAS
    image = nib.Nifti1Image(
        np.ascontiguousarray(volume.transpose(2, 1, 0)).astype(np.int16),
        np.diag([-_SPACING, -_SPACING, -_SPACING, 1.0]),
    )
    image.header.set_xyzt_units("mm")
    return gzip.compress(image.to_bytes(), compresslevel=1, mtime=0)


def _converted(source: Path, target: Path, case: str, collected: Collected) -> Path | None:
    if not target.is_file():
        try:
            data = convert(source)
        except T3DError as error:
            collected.leave_out(case, str(error))
            return None
        write_atomically({target: lambda stream: stream.write(data)})
        logger.info("%s is written", target.name)
    return target


def _labelled(folder: Path, collected: Collected) -> Iterator[tuple[str, str, dict]]:
    """(list, case, findings) of every row of the label tables."""
    found = False
    for prefix, (split, part) in _SPLITS.items():
        name = f"img{part}_Abnormality_and_Location_Labels.csv"
        tables = sorted(folder.rglob(name))
        if not tables:
            collected.notes.append(f"{name} is not there: files {prefix}*.npz are in no list")
            continue
        found = True
        rows = read_table(tables[0], ["NoteAcc_DEID"])
        columns = [column for column in rows[0] if "*" in column]
        faults: list[str] = []
        all_states = [finding_states(row, columns, f"case {row['NoteAcc_DEID']}", faults) for row in rows]
        raise_faults(faults, name)
        for row, states in zip(rows, all_states, strict=True):
            case = row["NoteAcc_DEID"]
            findings: dict[str, int] = {}
            for column, state in states.items():
                abnormality = column.split("*", 1)[0]
                findings[abnormality] = max(findings.get(abnormality, 0), state or 0)
            yield split, case, findings
    if not found:
        raise T3DError(f"{folder}: found no label table; expected {LAYOUT}. Download the tables of the record")


def _patients(folder: Path, collected: Collected) -> dict[str, str]:
    tables = sorted(folder.rglob(_METADATA))
    if not tables:
        collected.notes.append(f"{_METADATA} is not there: each scan counts as a patient of its own")
        return {}
    return {row["NoteAcc_DEID"]: row["MRN_DEID"] for row in read_table(tables[0], ["NoteAcc_DEID", "MRN_DEID"])}
