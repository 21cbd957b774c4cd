import json

import pytest

from t3d.errors import T3DError
from t3d.volume.label_table import class_values, read_label_table


def test_values_become_lists_and_the_background_comes_first():
    table = {"liver": 6, "kidneys": [2, 3], "background": [0, 9]}
    assert list(class_values(table).items()) == [("background", [0, 9]), ("liver", [6]), ("kidneys", [2, 3])]
    assert class_values({"liver": 6})["background"] == [0]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"background": 0}, "no class beside background"),
        ({"liver": 1, "spleen": [2, 1]}, "value 1 stands for liver and for spleen"),
        ({"liver": 0}, "value 0 stands for background and for liver"),
        ({"liver": "1"}, "class liver has the value '1'"),
        ({"liver": True}, "class liver has the value True"),
        ({"liver": -1}, "0 to 65535"),
        ({"liver": 65536}, "0 to 65535"),
        ({"liver": []}, "class liver has no value"),
        ({"a/b": 1}, "is no class name"),
        (["liver"], "is a list"),
    ],
)
def test_faults_of_a_table_are_named(table, words):
    with pytest.raises(T3DError, match="the label table") as caught:
        class_values(table)
    assert words in str(caught.value)


def test_a_file_is_read_and_its_faults_are_named(tmp_path):
    file = tmp_path / "labels.json"
    with pytest.raises(T3DError, match="set labels_file to a label table"):
        read_label_table(file)
    file.write_text("{")
    with pytest.raises(T3DError, match="labels.json is not valid JSON"):
        read_label_table(file)
    file.write_text('{"liver": 1, "liver": 2}')
    with pytest.raises(T3DError, match="liver is named twice"):
        read_label_table(file)
    for wrong in ([["liver", 1]], [], 3):
        file.write_text(json.dumps(wrong))
        with pytest.raises(T3DError):
            read_label_table(file)
    file.write_text(json.dumps({"background": 0, "lungs": [1, 2]}))
    assert read_label_table(file) == {"background": [0], "lungs": [1, 2]}
