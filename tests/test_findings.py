import json
import logging
import math

import pytest

from t3d.data.findings import finding_names, labelled, positive_weights
from t3d.errors import T3DError


def items(*states):
    return [
        {"case_id": f"c{i}", "patient_id": f"p{i}", "image": "x.nii.gz", **({} if s is None else {"findings": s})}
        for i, s in enumerate(states)
    ]


def test_all_kinds_of_unknown_and_nothing_else():
    rows = labelled(
        items({"a": 1, "b": 0}, {"a": None, "b": -1}, {"a": "", "b": float("nan")}, {"a": True, "b": 0.0}, {}, None),
        ["b", "a"],
    )
    shown = [[None if math.isnan(v) else v for v in row["label"]] for row in rows]
    assert shown == [[0, 1], [None, None], [None, None], [0, 1], [None, None], [None, None]]
    assert rows[0]["case_id"] == "c0"


@pytest.mark.parametrize("value", [2, 0.5, "yes", "1", -2, [1], {"x": 1}])
def test_other_values_are_named_with_case_and_finding(value):
    with pytest.raises(T3DError) as caught:
        labelled(items({"a": 0}, {"a": value}), ["a"])
    assert "case c1: finding a is" in str(caught.value) and repr(value) in str(caught.value)


def test_findings_of_another_kind():
    with pytest.raises(T3DError, match="case c0: findings are a list"):
        labelled(items(["a"]), ["a"])


@pytest.mark.parametrize(("value", "word"), [(1, "positive"), (0, "negative")])
def test_one_class_in_training_is_an_error_elsewhere_not(value, word):
    states = [{"a": value, "b": 0}, {"a": value, "b": 1}, {"a": None, "b": 1}]
    with pytest.raises(T3DError, match=f"finding a: all 2 known cases of the training list are {word}"):
        labelled(items(*states), ["a", "b"], need_both=True)
    assert len(labelled(items(*states), ["a", "b"])) == 3


def test_a_finding_nobody_knows():
    with pytest.raises(T3DError, match="finding z: no case of the training list knows it"):
        labelled(items({"a": 1}, {"a": 0}), ["a", "z"], need_both=True)
    with pytest.raises(T3DError, match="none of the 1 cases"):
        labelled(items({"a": 1}), ["z"])


def test_names_from_choice_record_list_and_default(tmp_path, caplog):
    (tmp_path / "x.nii.gz").write_bytes(b"x")
    path = tmp_path / "datalist.json"
    path.write_text(json.dumps({"training": items({"b": 1}, {"c": 0, "a": None})}))
    assert finding_names(findings=["z"], datalist_file=path) == ["z"]
    assert finding_names(findings=["r", "s"], recorded=["r", "s"]) == ["r", "s"]
    for other in (["r"], ["s", "r"], ["r", "t"]):
        with pytest.raises(T3DError, match="not those of the model in use"):
            finding_names(findings=other, recorded=["r", "s"])
    assert finding_names(recorded=["r"], datalist_file=path) == ["r"]
    assert finding_names(recorded=None, datalist_file=path) == ["a", "b", "c"]
    with caplog.at_level(logging.WARNING):
        assert finding_names(datalist_file=tmp_path / "no.json", default=["d"]) == ["d"]
    assert "default findings" in caplog.text
    path.write_text(json.dumps({"training": items(None, None)}))
    with pytest.raises(T3DError, match="no case of the list"):
        finding_names(datalist_file=path)


@pytest.mark.parametrize("wrong", [[], "effusion", ["a", "a"], [""], [3], {"a": 1}])
def test_wrong_choices_are_named(wrong):
    with pytest.raises(T3DError, match="list of distinct names"):
        finding_names(findings=wrong)


def test_weights_by_hand(caplog):
    rows = labelled(items(*[{"a": int(i < 2), "b": int(i < 9), "c": int(i < 1), "d": 1} for i in range(12)]), "abcd")
    # 10 / 2, 3 / 9, 11 / 1 capped, one class
    with caplog.at_level(logging.WARNING):
        assert positive_weights(rows, "abcd", largest=8) == [5, pytest.approx(1 / 3), 8, 1]
    assert "finding d: 12 positive and 0 negative" in caplog.text
    assert positive_weights(rows, "ab", largest=1) == [1, 1]
    with pytest.raises(T3DError, match="max_positive_weight 0.5"):
        positive_weights(rows, "a", largest=0.5)
