"""A task of the Medical Segmentation Decathlon (medicaldecathlon.com; arXiv 1902.09063; CC BY-SA 4.0).

What this file knows, and from where:

* Layout: the ``dataset.json`` of each task: ``modality``, ``labels`` (value -> name), ``training`` with image and
  label, ``test`` with images only; the answers of the test cases are not published, so they go to ``unlabelled``.
* Modality: tasks 3 (liver), 6 (lung), 7 (pancreas), 8 (hepatic vessel), 9 (spleen) and 10 (colon) are CT in HU; the
  others are MR and refused, since everything in T3D counts in HU.
* Duplicates: the archives hold twins of macOS ("._liver_0.nii.gz"), which are not volumes. Task 3 comes from the same
  source as the LiTS challenge (the site names IRCAD), so do not test on one what was trained on the other.
* No patient numbers: each case is its own patient.
"""

from pathlib import Path

from t3d.cohorts.collected import UNLABELLED, Collected, folder_at
from t3d.errors import T3DError
from t3d.files import read_json
from t3d.volume.file_kind import is_nifti, stem

LAYOUT = "dataset.json with imagesTr, labelsTr and imagesTs beside it (a folder such as Task09_Spleen)"


def collect(root: str | Path) -> Collected:
    """Cases of one task.

    Args:
        root: the task's folder, or a folder that holds one task.

    Raises:
        T3DError: no or several tasks, a ``dataset.json`` that is none, a modality other than CT.
    """
    file = _dataset_file(folder_at(root))
    content = _read(file)
    modality = content.get("modality")
    kinds = list(modality.values()) if isinstance(modality, dict) else [str(modality)]
    if [str(kind).upper() for kind in kinds] != ["CT"]:
        raise T3DError(f"{file}: the modality is {', '.join(map(str, kinds))}, not CT; T3D reads volumes in HU")
    collected = Collected(labels=_labels(content.get("labels"), file))
    for entry in content.get("training", []):
        if not isinstance(entry, dict) or not isinstance(entry.get("image"), str):
            raise T3DError(f"{file}: an entry of training is not {{image, label}}; download the task again")
        label = entry.get("label")
        if not label:
            collected.leave_out(stem(entry["image"]), "training case has no label")
            continue
        collected.add("training", stem(entry["image"]), file.parent / entry["image"], label=file.parent / label)
    for entry in content.get("test", []):
        image = entry.get("image", "") if isinstance(entry, dict) else str(entry)
        collected.add(UNLABELLED, stem(image), file.parent / image)
    named = {stem(e["image"] if isinstance(e, dict) else e) for k in ("training", "test") for e in content.get(k, [])}
    for images in ("imagesTr", "imagesTs"):
        for image in sorted((file.parent / images).glob("*")):
            if is_nifti(image) and not image.name.startswith(".") and stem(image) not in named:
                collected.leave_out(stem(image), f"file in {images} is not in dataset.json")
    if not content.get("test"):
        collected.notes.append("dataset.json has no test cases")
    return collected


def _dataset_file(folder: Path) -> Path:
    if (folder / "dataset.json").is_file():
        return folder / "dataset.json"
    found = sorted(folder.glob("*/dataset.json"))
    if len(found) != 1:
        names = ", ".join(file.parent.name for file in found) or "none"
        raise T3DError(f"{folder} holds {len(found)} tasks ({names}); give --root the folder of one: {LAYOUT}")
    return found[0]


def _read(file: Path) -> dict:
    remedy = "download the task again"
    return read_json(file, what="dataset.json of the Decathlon", remedy=remedy, need={"training": list})


def _labels(labels: object, file: Path) -> dict[str, int]:
    if not isinstance(labels, dict):
        raise T3DError(f'{file} has no "labels"; it is no dataset.json of the Decathlon')
    try:
        # the commas are not allowed in a class name of T3D
        return {str(name).replace(",", " "): int(value) for value, name in labels.items()}
    except ValueError:
        raise T3DError(f'{file}: a key of "labels" is no whole number; download the task again') from None
