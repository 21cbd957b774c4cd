"""AMOS: 500 CTs (and 100 MRs) with 15 abdominal organs (Ji et al., arXiv 2206.08023; Zenodo 7155725 and 7262581).

What this file knows, and from where:

* Layout and splits: the readme in ``amos22.zip``: ``imagesTr`` and ``labelsTr`` (200 CTs, 40 MRs), ``imagesVa`` and
  ``labelsVa`` (100 and 20), ``imagesTs`` (120 without labels). Va becomes ``validation``; Ts becomes ``test`` where
  ``labelsTs`` is there, and ``unlabelled`` otherwise.
* Modality: "id numbers less than 500 belong to CT data, otherwise they belong to MRI data" (the same readme). MRs are
  left out and named, since everything in T3D counts in HU.
* Values: HU, nothing to rescale. Each case is its own patient, as the release has no patient numbers.
* Organ names: ``dataset.json``.
"""

import re
from pathlib import Path

from t3d.cohorts.collected import UNLABELLED, Collected, folder_at, nifti_files
from t3d.errors import T3DError
from t3d.files import read_json
from t3d.volume.file_kind import stem

LAYOUT = "imagesTr/amos_0001.nii.gz and labelsTr/amos_0001.nii.gz (the folder amos22)"
_FIRST_MR, _IDS = 500, 600
_PARTS = {"Tr": "training", "Va": "validation", "Ts": "test"}


def collect(root: str | Path) -> Collected:
    """Cases of AMOS 2022.

    Args:
        root: the folder with ``imagesTr``, or one that holds it as ``amos22``.

    Raises:
        T3DError: no ``imagesTr``, or a ``dataset.json`` that is none.
    """
    folder = folder_at(root)
    folder = folder / "amos22" if (folder / "amos22").is_dir() else folder
    if not (folder / "imagesTr").is_dir():
        raise T3DError(f"{folder}: found no imagesTr; expected {LAYOUT}. Correct --root")
    collected = Collected(labels=_labels(folder / "dataset.json"))
    if collected.labels is None:
        collected.notes.append("dataset.json is not there, so labels.json is not written; name the organs yourself")
    for part, split in _PARTS.items():
        labels = nifti_files(folder / f"labels{part}")
        labelled = bool(labels) or part != "Ts"
        for name, files in nifti_files(folder / f"images{part}").items():
            case, label = stem(name), labels.pop(name, None)
            number = re.fullmatch(r"amos_(\d+)", case)
            if number is None or int(number[1]) >= _IDS:
                collected.leave_out(case, "name is not amos_0000 to amos_0599, so it may be CT or MR")
            elif int(number[1]) >= _FIRST_MR:
                collected.leave_out(case, "MR (numbers from 500 on)")
            elif not labelled:
                collected.add(UNLABELLED, case, files[0])
            elif label is None:
                collected.leave_out(case, f"label labels{part}/{name} is not there")
            else:
                collected.add(split, case, files[0], label=label[0])
        for name in sorted(labels):
            collected.leave_out(stem(name), f"labels{part}/{name} has no image")
    return collected


def _labels(file: Path) -> dict[str, int] | None:
    if not file.is_file():
        return None
    remedy = "unpack the release again"
    labels = read_json(file, what="dataset.json of AMOS", remedy=remedy, need={"labels": dict})["labels"]
    try:
        return {str(name).replace("/", " ").replace(",", " "): int(value) for value, name in labels.items()}
    except (ValueError, TypeError):
        raise T3DError(f'{file} has a key of "labels" that is no whole number; {remedy}') from None
