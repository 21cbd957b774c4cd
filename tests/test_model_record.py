import json

import pytest

from t3d.errors import T3DError
from t3d.weights.model_record import recorded_model

RECORD = {
    "format_version": 1,
    "network": {"feature_size": 12},
    "preprocessing": {"crop_size": 32},
    "recipe": {"seed": 3},
}


def test_settings_in_one_dict(tmp_path):
    assert recorded_model(tmp_path) == {}
    (tmp_path / "model.json").write_text(json.dumps({**RECORD, "findings": ["a"]}))
    expected = {"feature_size": 12, "crop_size": 32, "findings": ["a"], "pooling": "attention"}  # as t3d 0.1 pooled
    assert recorded_model(str(tmp_path)) == expected


@pytest.mark.parametrize("content", ["{", "[]", "{}", json.dumps({**RECORD, "network": 3})])
def test_damaged_records_are_named(tmp_path, content):
    (tmp_path / "model.json").write_text(content)
    with pytest.raises(T3DError, match=r"model\.json is no model record"):
        recorded_model(tmp_path)


def test_other_versions_are_named(tmp_path):
    (tmp_path / "model.json").write_text(json.dumps({**RECORD, "format_version": 3}))
    with pytest.raises(T3DError, match="format version 3"):
        recorded_model(tmp_path)
