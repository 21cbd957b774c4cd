import sys
import types

import pytest

from t3d.errors import T3DError
from t3d.monai_label.submitted_labels import need_labels


def test_an_empty_list_is_refused_in_a_server_only(monkeypatch):
    need_labels([])
    monkeypatch.setitem(sys.modules, "monailabel.interfaces.app", types.ModuleType("app"))
    need_labels([{"image": "a.nii.gz"}])
    with pytest.raises(T3DError, match="no label was submitted yet"):
        need_labels([])
