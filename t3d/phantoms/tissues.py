"""What a voxel of the phantom is made of, and which published label that gives."""

from enum import IntEnum

import numpy as np

ORGANS = (
    "background",
    "muscle",
    "fat",
    "lung_right",
    "lung_left",
    "heart",
    "aorta",
    "liver",
    "spleen",
    "kidney_right",
    "kidney_left",
    "spine",
    "ribs",
    "sternum",
    "stomach",
    "trachea",
)
LESIONS = (
    "lung_nodule",
    "pleural_effusion",
    "consolidation",
    "emphysema",
    "pericardial_effusion",
    "aortic_calcification",
    "liver_lesion",
    "kidney_stone",
    "kidney_cyst",
)
LABELS: dict[str, int] = {name: number for number, name in enumerate(ORGANS + LESIONS)}
"""Label name -> value in the label volumes; lesions overwrite the organ they lie in."""


class Tissue(IntEnum):
    """Internal material codes, finer than the labels (a spine has marrow, cortex, discs and a canal)."""

    AIR = 0
    FAT = 1
    MUSCLE = 2
    LUNG_RIGHT = 3
    LUNG_LEFT = 4
    HEART = 5
    MYOCARDIUM = 6
    AORTA = 7
    VEIN = 8
    LIVER = 9
    SPLEEN = 10
    KIDNEY_RIGHT = 11
    KIDNEY_LEFT = 12
    MARROW = 13
    CORTEX = 14
    DISC = 15
    CANAL = 16
    RIB = 17
    STERNUM = 18
    STOMACH = 19
    STOMACH_GAS = 20
    TRACHEA = 21
    BOWEL = 22
    BOWEL_GAS = 23
    GALLBLADDER = 24
    PANCREAS = 25
    SOFT = 26
    CARTILAGE = 27
    SHOULDER_BONE = 28


_LABEL_OF = {
    Tissue.FAT: "fat",
    Tissue.MUSCLE: "muscle",
    Tissue.LUNG_RIGHT: "lung_right",
    Tissue.LUNG_LEFT: "lung_left",
    Tissue.HEART: "heart",
    Tissue.MYOCARDIUM: "heart",
    Tissue.AORTA: "aorta",
    Tissue.LIVER: "liver",
    Tissue.SPLEEN: "spleen",
    Tissue.KIDNEY_RIGHT: "kidney_right",
    Tissue.KIDNEY_LEFT: "kidney_left",
    Tissue.MARROW: "spine",
    Tissue.CORTEX: "spine",
    Tissue.DISC: "spine",
    Tissue.CANAL: "spine",
    Tissue.RIB: "ribs",
    Tissue.STERNUM: "sternum",
    Tissue.STOMACH: "stomach",
    Tissue.STOMACH_GAS: "stomach",
    Tissue.TRACHEA: "trachea",
}


def label_lookup() -> np.ndarray:
    """Table (number of tissues,) uint8 from tissue code to label value; unlisted tissues are background."""
    table = np.zeros(len(Tissue), np.uint8)
    for tissue, name in _LABEL_OF.items():
        table[tissue] = LABELS[name]
    return table
