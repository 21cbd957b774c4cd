import pytest

from t3d.errors import T3DError
from t3d.phantoms.folder import RECORD, as_json, check_folder

MINE, LIST = as_json({"seed": 1}), as_json({"training": []})


def test_new_empty_and_own_folders_are_taken(tmp_path):
    check_folder(tmp_path / "absent", MINE, LIST)
    check_folder(tmp_path, MINE, LIST)
    (tmp_path / RECORD).write_bytes(MINE)
    check_folder(tmp_path, MINE, LIST)
    (tmp_path / "datalist.json").write_bytes(LIST)
    (tmp_path / "notes.txt").write_text("a user's file beside the cohort is not touched")
    check_folder(tmp_path, MINE, LIST)


def test_a_users_files_are_refused_by_name(tmp_path):
    (tmp_path / "datalist.json").write_text("{}")
    with pytest.raises(T3DError, match=r"datalist\.json"):
        check_folder(tmp_path, MINE, LIST)


def test_a_file_is_refused(tmp_path):
    target = tmp_path / "file"
    target.write_text("x")
    with pytest.raises(T3DError, match="is a file"):
        check_folder(target, MINE, LIST)


def test_other_settings_and_an_edited_datalist_are_refused(tmp_path):
    (tmp_path / RECORD).write_bytes(as_json({"seed": 2}))
    with pytest.raises(T3DError, match="other settings"):
        check_folder(tmp_path, MINE, LIST)
    (tmp_path / RECORD).write_bytes(MINE)
    (tmp_path / "datalist.json").write_bytes(as_json({"training": ["mine"]}))
    with pytest.raises(T3DError, match="was changed"):
        check_folder(tmp_path, MINE, LIST)
