"""A training that a MONAI Label server started: are there labels, and are they what annotators submitted?"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from t3d.errors import T3DError

_SERVER = "monailabel.interfaces.app"
_FROM_DICOM = ".nrrd"


def check_submitted_labels(items: Sequence[Mapping[str, Any]]) -> None:
    """Refuse what cannot be trained on, in the words of an annotator; elsewhere the datalist's own checks speak.

    A server on a DICOM store writes submitted labels there as DICOM SEG. Where its cache has lost the file that was
    submitted it reads them back, as NRRD, and numbers the segments that occur 1, 2, 3, ..: with an absent organ
    all those after it would be learnt as their neighbours.

    Args:
        items: the training list, each ``image`` and ``label``.

    Raises:
        T3DError: MONAI Label runs this training, and has no labels or one that was read back from DICOM SEG.
    """
    if _SERVER not in sys.modules:
        return
    if not items:
        raise T3DError("no label was submitted yet: correct a study, submit it (tag final), and train again")
    for item in items:
        if str(item.get("label", "")).endswith(_FROM_DICOM):
            raise T3DError(
                f"the label of {item['image']} was read back from DICOM SEG, where MONAI Label numbers the segments "
                "anew: its values need not be the model's. Submit this label again, as NIfTI"
            )
