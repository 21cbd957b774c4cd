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
    with pytest.raises(T3DError, match="labels.json is no label table: it is not valid JSON"):
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
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert read_label_table(file) == {"background": [0], "lungs": [1, 2]}


def dataset(labels):
    return {"channel_names": {"0": "CT"}, "labels": labels, "numTraining": 2, "file_ending": ".nii.gz"}


@pytest.mark.parametrize(
    ("labels", "table"),
    [
        ({"background": 0, "liver": 1, "kidneys": [2, 3]}, {"background": [0], "liver": [1], "kidneys": [2, 3]}),
        ({"0": "background", "2": "spleen", "1": "liver"}, {"background": [0], "spleen": [2], "liver": [1]}),
        ({"0": "background", "1": "kidney", "2": "kidney"}, {"background": [0], "kidney": [1, 2]}),
    ],
)
def test_the_table_of_a_dataset_json_is_read(tmp_path, labels, table):
    (tmp_path / "dataset.json").write_text(json.dumps(dataset(labels)))
    assert list(read_label_table(tmp_path / "dataset.json").items()) == list(table.items())


def test_the_class_ignore_is_not_learnt_and_said(tmp_path, caplog):
    (tmp_path / "dataset.json").write_text(json.dumps(dataset({"background": 0, "liver": 1, "ignore": 2})))
    assert read_label_table(tmp_path / "dataset.json") == {"background": [0], "liver": [1]}
    assert "class ignore (value 2)" in caplog.text and "refused" in caplog.text


def test_faults_of_a_dataset_json_are_named(tmp_path):
    file = tmp_path / "dataset.json"
    for labels, words in (
        ({"background": 0, "whole": [1, 2], "core": 2}, "value 2 stands for whole and for core.*overlap"),
        ({}, "has no class beside background"),
        ({"0": "background", "liver": 1}, "value '?background"),
    ):
        file.write_text(json.dumps(dataset(labels)))
        with pytest.raises(T3DError, match=f"dataset.json.*{words}"):
            read_label_table(file)
