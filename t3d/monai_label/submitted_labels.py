"""A training that a MONAI Label server started, before anybody submitted a label."""

import sys
from collections.abc import Sequence

from t3d.errors import T3DError

_SERVER = "monailabel.interfaces.app"


def need_labels(items: Sequence) -> None:
    """Refuse an empty training list in the words of an annotator; elsewhere the datalist's own checks speak.

    Args:
        items: the training list.

    Raises:
        T3DError: MONAI Label runs this training and has no labels.
    """
    if not items and _SERVER in sys.modules:
        raise T3DError("no label was submitted yet: correct a study, submit it (tag final), and train again")
