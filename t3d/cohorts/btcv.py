"""BTCV: 30 abdominal CTs with 13 organs (Multi-Atlas Labeling Beyond the Cranial Vault, Synapse syn3193805).

What this file knows, and from where:

* Layout: the archive ``Abdomen/RawData.zip``: ``RawData/Training/img/img0001.nii.gz``,
  ``RawData/Training/label/label0001.nii.gz``, ``RawData/Testing/img/img0061.nii.gz``. The same files in ``imagesTr``,
  ``labelsTr`` and ``imagesTs`` (MONAI's tutorials) are read too.
* Splits: 30 training and 20 testing cases; the answers of the latter are not published, so they go to ``unlabelled``.
* Values: HU, nothing to rescale. Each case is its own patient; we know of no duplicates.
* Organs: the challenge's numbering, as in the segmentation bundle's ``labels_btcv.json``.
"""

from pathlib import Path

from t3d.cohorts.collected import UNLABELLED, Collected, folder_at, nifti_files
from t3d.errors import T3DError

LAYOUT = "RawData/Training/img/img0001.nii.gz and RawData/Training/label/label0001.nii.gz"
LABELS = {
    "background": 0,
    "spleen": 1,
    "right_kidney": 2,
    "left_kidney": 3,
    "gallbladder": 4,
    "esophagus": 5,
    "liver": 6,
    "stomach": 7,
    "aorta": 8,
    "inferior_vena_cava": 9,
    "portal_vein_and_splenic_vein": 10,
    "pancreas": 11,
    "right_adrenal_gland": 12,
    "left_adrenal_gland": 13,
}
# training images, training labels, testing images
_LAYOUTS = (("Training/img", "Training/label", "Testing/img"), ("imagesTr", "labelsTr", "imagesTs"))


def collect(root: str | Path) -> Collected:
    """Cases of BTCV (abdomen).

    Args:
        root: the folder that holds ``Training``, or ``RawData`` with it, or ``imagesTr``.

    Raises:
        T3DError: no training images.
    """
    folder = folder_at(root)
    for base in (folder, folder / "RawData", folder / "Abdomen" / "RawData"):
        for images, labels, testing in _LAYOUTS:
            if (base / images).is_dir():
                return _collect(base / images, base / labels, base / testing)
    raise T3DError(f"{folder}: found no training images; expected {LAYOUT}. Correct --root")


def _collect(images: Path, labels: Path, testing: Path) -> Collected:
    collected = Collected(labels=dict(LABELS))
    label_files = nifti_files(labels)
    for name, files in nifti_files(images).items():
        number = name.removeprefix("img")
        label = label_files.pop(f"label{number}", None)
        case = f"btcv_{number.split('.')[0]}"
        if label is None:
            collected.leave_out(case, f"label label{number} is not there")
        else:
            collected.add("training", case, files[0], label=label[0])
    for name in sorted(label_files):
        collected.leave_out(f"btcv_{name.removeprefix('label').split('.')[0]}", f"{name} has no image")
    for name, files in nifti_files(testing).items():
        collected.add(UNLABELLED, f"btcv_{name.removeprefix('img').split('.')[0]}", files[0])
    return collected
