import hashlib
import json
import re
from pathlib import Path

import pytest

from t3d.errors import T3DError
from t3d.files import json_bytes, read_json, refuse_existing, sha256, write_json

FORM = {"what": "datalist", "remedy": "correct it there"}


def test_json_is_utf_8_with_line_feeds_in_the_order_given(tmp_path):
    write_json(tmp_path / "new" / "a.json", {"z": "Größe", "a": [1, 2.5, None]})
    assert (tmp_path / "new" / "a.json").read_bytes() == (
        '{\n  "z": "Größe",\n  "a": [\n    1,\n    2.5,\n    null\n  ]\n}\n'.encode()
    )
    assert read_json(tmp_path / "new" / "a.json", **FORM) == {"z": "Größe", "a": [1, 2.5, None]}
    assert json_bytes({"a": 1}, indent=1) == b'{\n "a": 1\n}\n'


def test_half_a_character_goes_through_unchanged(tmp_path):
    write_json(tmp_path / "a.json", {"report": "cut \ud83d"})
    assert (tmp_path / "a.json").read_bytes() == b'{\n  "report": "cut \\ud83d"\n}\n'
    assert read_json(tmp_path / "a.json", **FORM) == {"report": "cut \ud83d"}


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_what_is_no_number_is_named_and_nothing_is_written(tmp_path, value):
    with pytest.raises(T3DError, match=r"^cases\.1\.score is NaN or infinite.*earlier checkpoint"):
        write_json(tmp_path / "a.json", {"cases": [{"score": 1.0}, {"score": value}]})
    assert not list(tmp_path.iterdir())


def test_a_byte_order_mark_is_accepted(tmp_path):
    (tmp_path / "a.json").write_bytes(b"\xef\xbb\xbf" + json.dumps({"name": "é"}).encode())
    assert read_json(tmp_path / "a.json", **FORM) == {"name": "é"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "does not exist; set datalist_file"),
        (b"", r"is no datalist: it is not valid JSON \(line 1, column 1: Expecting value\); correct it there"),
        (b'{"a": 1,\n "b" 2}', r"not valid JSON \(line 2, column 6"),
        (b'{"a": "\xfc"}', "is not UTF-8 text; save it as UTF-8"),
        (b"[" * 100_000, "is not valid JSON"),
        (b"[1]", "is no datalist: it holds a list and no object; correct it there"),
        (b"null", "it holds a null"),
        (b"{}", 'it has no list "cases"; correct it there'),
        (b'{"cases": {"a": 1}}', 'it has no list "cases"'),
    ],
)
def test_what_cannot_be_used_is_said_with_the_remedy(tmp_path, content, words):
    file = tmp_path / "a.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(T3DError, match=words) as caught:
        read_json(file, **FORM, absent="set datalist_file", need={"cases": list})
    assert str(file) in str(caught.value)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(T3DError, match=r"cannot be read \(Is a directory\); correct"):
        read_json(tmp_path, **FORM)


def test_the_text_of_a_damaged_file_is_nowhere_in_the_error(tmp_path):
    for content in (b'{"report": "SECRET",', b'{"report": "SECRET \xff"}'):
        (tmp_path / "a.json").write_bytes(content)
        with pytest.raises(T3DError) as caught:
            read_json(tmp_path / "a.json", **FORM)
        error = caught.value
        assert "SECRET" not in str(error) and error.__cause__ is None and error.__suppress_context__


def test_a_name_that_stands_twice(tmp_path):
    (tmp_path / "a.json").write_text('{"labels": {"liver": 1, "spleen": 3, "liver": 2}}')
    with pytest.raises(T3DError, match="a.json: liver is named twice"):
        read_json(tmp_path / "a.json", **FORM, once=True)
    assert read_json(tmp_path / "a.json", **FORM)["labels"]["liver"] == 2


def test_checksum_of_bytes_and_of_a_file_longer_than_one_part(tmp_path):
    assert sha256(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    content = b"abc" * 500_000
    (tmp_path / "a").write_bytes(content)
    assert sha256(tmp_path / "a") == sha256(str(tmp_path / "a")) == hashlib.sha256(content).hexdigest()


def test_what_is_there_is_not_replaced_unasked(tmp_path):
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    refuse_existing([first, second], overwrite=False)
    second.touch()
    refuse_existing([first, second], overwrite=True)
    with pytest.raises(T3DError) as caught:
        refuse_existing([first, second], overwrite=False, option="--out")
    refuse_existing(str(first), overwrite=False)
    assert str(caught.value) == f"{second} is already there; choose another --out, or replace it with --overwrite True"


def test_json_files_are_read_and_written_in_one_place():
    package = Path(__file__).resolve().parents[1] / "t3d"
    call = re.compile(r"json\.(?:loads?|dump)\(|(?:write_text|write_bytes|\.write)\(\s*\(?json\.dumps")
    # a tokenizer gives its rules as text; packages are checked as bytes from a zip, before anything is a file;
    # names lie inside arrays
    others = ("files.py", "reports/tokens.py", "pack/", "study/outcome.py", "study/features_file.py")
    found = {file.relative_to(package).as_posix() for file in package.rglob("*.py") if call.search(file.read_text())}
    assert not [name for name in found if not name.startswith(others)]
    assert "files.py" in found
