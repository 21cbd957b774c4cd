import csv
import json
import math

import numpy as np
import pytest
from matplotlib.image import imread

from t3d.evaluate.metric_report import draw, table, without_nan, write_metrics
from t3d.metrics.segmentation_summary import summarise

NAN = math.nan
LIVER = {"dice": 0.5, "surface_dice": 0.25, "hd95": 3.0, "label_ml": 10.0, "predicted_ml": 12.0}
ABSENT = {"dice": NAN, "surface_dice": NAN, "hd95": NAN, "label_ml": 0.0, "predicted_ml": 0.0}
MATCHED = {"lesions": [{"mm3": 8.0, "detected": True}, {"mm3": 2.0, "detected": False}], "left_out": 0,
           "false_positives": [1.0, 1.0, 4.0]}  # fmt: skip


def report() -> dict:
    cases = [
        {"case_id": case, "patient_id": f"p{case}", "classes": {"liver": LIVER, "tumour": tumour}, "lesions": matched}
        for case, tumour, matched in (("a", LIVER, {"tumour": MATCHED}), ("b", ABSENT, {"tumour": MATCHED}))
    ]
    return {**summarise(cases, classes=["liver", "tumour"], lesions=["tumour"]), "per_case": cases}


def test_rows_per_case_and_class():
    rows = list(csv.DictReader(table(report()["per_case"]).splitlines()))
    assert [(row["case_id"], row["class"]) for row in rows] == [
        ("a", "liver"), ("a", "tumour"), ("b", "liver"), ("b", "tumour")
    ]  # fmt: skip
    assert rows[0]["dice"] == "0.5" and rows[0]["hd95_mm"] == "3" and rows[0]["lesions"] == ""
    assert (rows[1]["lesions"], rows[1]["lesions_detected"], rows[1]["false_positives"]) == ("2", "1", "3")
    assert rows[3]["dice"] == rows[3]["hd95_mm"] == "" and rows[3]["label_ml"] == "0"


def test_nan_has_no_word_in_json():
    assert without_nan({"a": [NAN, 1.0, (math.inf, "x")], "b": None}) == {"a": [None, 1.0, [None, "x"]], "b": None}


def test_three_files(tmp_path):
    write_metrics(tmp_path / "new", report())
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == ["metrics.csv", "metrics.json", "metrics.png"]
    content = json.loads((tmp_path / "new" / "metrics.json").read_text())
    assert content["per_case"][1]["classes"]["tumour"]["dice"] is None
    picture = imread(tmp_path / "new" / "metrics.png")
    assert picture.shape[0] > 300 and np.ptp(picture) > 0.5


def test_nothing_written_when_something_fails(tmp_path):
    with pytest.raises(TypeError):
        write_metrics(tmp_path, {**report(), "settings": {"x": object()}})
    assert list(tmp_path.iterdir()) == []


def test_figure_shows_cases_means_and_intervals():
    axes = draw(report()).axes[0]
    points = [collection.get_offsets() for collection in axes.collections if len(collection.get_offsets())]
    assert [len(found) for found in points[:2]] == [2, 1]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["liver\nn=2", "tumour\nn=1"]
    assert "mean over classes 0.500" in axes.get_title()


def test_figure_without_any_dice():
    cases = [{"case_id": "a", "patient_id": "p", "classes": {"liver": ABSENT}, "lesions": {}}]
    assert (
        "mean"
        not in draw({**summarise(cases, classes=["liver"]), "per_case": cases}).axes[0].get_title().split(";")[0]
    )
