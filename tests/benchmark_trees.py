"""Small folders in the layout of the public benchmarks that have a plan; volumes are whatever ``image`` writes."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from cohort_trees import table, volume

CT_RATE = (
    "Medical material", "Arterial wall calcification", "Cardiomegaly", "Pericardial effusion",
    "Coronary artery wall calcification", "Hiatal hernia", "Lymphadenopathy", "Emphysema", "Atelectasis",
    "Lung nodule", "Lung opacity", "Pulmonary fibrotic sequela", "Pleural effusion", "Mosaic attenuation pattern",
    "Peribronchial thickening", "Consolidation", "Bronchiectasis", "Interlobular septal thickening",
)  # fmt: skip
# of the 84 columns of RAD-ChestCT those that the plans count, and two that they do not
RAD_CHESTCT = (
    "catheter_or_port", "chest_tube", "clip", "gi_tube", "hardware", "heart_valve_replacement", "pacemaker_or_defib",
    "staple", "stent", "suture", "tracheal_tube", "calcification", "cardiomegaly", "pericardial_effusion", "hernia",
    "lymphadenopathy", "emphysema", "atelectasis", "nodule", "opacity", "fibrosis", "pleural_effusion",
    "bronchial_wall_thickening", "consolidation", "bronchiectasis", "septal_thickening", "coronary_artery_disease",
    "pneumonia",
)  # fmt: skip
Write = Callable[[Path], object]


def other_bytes(file: Path) -> Path:
    """A file that no other one equals; it is no volume."""
    return volume(file, file.name.encode())


def copies(sources: Sequence[Path]) -> Write:
    """Writes one real volume after the other."""
    left = list(sources)

    def write(file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(left.pop(0), file)

    return write


def ct_rate(root: Path, *, training: int = 6, valid: int = 4, image: Write = other_bytes) -> Path:
    """Scans with one reconstruction, the last of each list with two; labels by turns."""
    data = root / "dataset"
    for part, long, count in (("train", "train", training), ("valid", "validation", valid)):
        names = [f"{part}_{number}_a_1" for number in range(1, count + 1)] + [f"{part}_{count}_a_2"]
        if part == "train":
            names.append("train_11755_a_3")
        for name in names:
            patient, scan = name.rsplit("_", 2)[0], name.rsplit("_", 1)[0]
            image(data / f"{part}_fixed" / patient / scan / f"{name}.nii.gz")
        reports = [
            {
                "VolumeName": f"{name}.nii.gz",
                "Findings_EN": f"The lungs are clear, scan {name.split('_')[1]}.",
                "Impressions_EN": "No nodule.",
            }
            for name in names
        ]
        table(data / "radiology_text_reports" / f"{long}_reports.csv", reports)
        labels = [
            {
                "VolumeName": f"{name}.nii.gz",
                **{one: (int(name.split("_")[1]) + k) % 2 for k, one in enumerate(CT_RATE)},
            }
            for name in names
        ]
        table(data / "multi_abnormality_labels" / f"{part}_predicted_labels.csv", labels)
    return root


def rad_chestct(root: Path) -> Path:
    """One scan in each published list."""
    root.mkdir(parents=True)
    rows = {"trn00001": "train", "val00001": "valid", "tst00001": "test"}
    for number, (case, part) in enumerate(rows.items()):
        np.savez_compressed(root / f"{case}.npz", ct=np.full((4, 5, 6), -1000 + number, np.int16))
        row = {f"{name}*lung": int((number + k) % 3 == 0) for k, name in enumerate(RAD_CHESTCT)}
        table(root / f"img{part}_Abnormality_and_Location_Labels.csv", [{"NoteAcc_DEID": case, **row}])
    patients = [{"NoteAcc_DEID": case, "MRN_DEID": f"P{number}"} for number, case in enumerate(rows)]
    table(root / "CT_Scan_Metadata_Complete_35747.csv", patients)
    return root


def btcv(root: Path, numbers: Sequence[int], *, image: Write = other_bytes, label: Write = other_bytes) -> Path:
    for number in numbers:
        image(root / "RawData" / "Training" / "img" / f"img{number:04}.nii.gz")
        label(root / "RawData" / "Training" / "label" / f"label{number:04}.nii.gz")
    return root


def amos(root: Path) -> Path:
    for part, numbers in (("Tr", (1, 2, 4, 507)), ("Va", (8, 13))):
        for number in numbers:
            other_bytes(root / f"images{part}" / f"amos_{number:04}.nii.gz")
            other_bytes(root / f"labels{part}" / f"amos_{number:04}.nii.gz")
    labels = {"0": "background", "1": "spleen", "2": "right kidney", "15": "prostate/uterus"}
    (root / "dataset.json").write_text(json.dumps({"labels": labels}))
    return root


def msd(root: Path, stem: str, classes: Sequence[str], *, cases: int = 7) -> Path:
    names = [f"{stem}_{number:03}" for number in range(1, cases + 1)]
    for name in names:
        other_bytes(root / "imagesTr" / f"{name}.nii.gz")
        other_bytes(root / "labelsTr" / f"{name}.nii.gz")
    content = {
        "modality": {"0": "CT"},
        "labels": {str(value): name for value, name in enumerate(classes)},
        "training": [{"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"} for name in names],
        "test": [],
    }
    (root / "dataset.json").write_text(json.dumps(content))
    return root
