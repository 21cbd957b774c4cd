import sys
import types

import pytest

from t3d.errors import T3DError
from t3d.monai_label.submitted_labels import check_submitted_labels

SUBMITTED = {"image": "1.2.3.nii.gz", "label": "labels/final/1.2.3.nii.gz"}
READ_BACK = {"image": "1.2.4.nii.gz", "label": "tmpabc.seg.nrrd"}


def test_faults_are_found_in_a_server_only(monkeypatch):
    check_submitted_labels([])
    check_submitted_labels([READ_BACK])
    monkeypatch.setitem(sys.modules, "monailabel.interfaces.app", types.ModuleType("app"))
    check_submitted_labels([SUBMITTED])
    with pytest.raises(T3DError, match="no label was submitted yet"):
        check_submitted_labels([])
    with pytest.raises(T3DError, match="label of 1.2.4.nii.gz was read back from DICOM SEG.* again"):
        check_submitted_labels([SUBMITTED, READ_BACK])
