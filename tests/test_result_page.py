"""``page.html`` of an evaluation: what lies in its folder, and cases to scroll through."""

import json
import logging

import nibabel
import numpy as np
import pytest
from test_page import parsed

from t3d.evaluate.result_page import ResultPage
from t3d.page.case import unpack

TABLE = {"background": [0, 9], "kidneys": [2, 3], "liver": 6}
CASES = ("anna", "bert", "carl", "dora")


def nifti(path, array, affine=None):
    nibabel.save(nibabel.Nifti1Image(array, np.eye(4) if affine is None else affine), path)
    return str(path)


@pytest.fixture
def cohort(tmp_path):
    """Four cases of 4^3 voxels with reports, the image of the last one missing."""
    items = []
    for number, case in enumerate(CASES):
        truth = np.zeros((4, 4, 4), np.uint8)
        truth[number], truth[0, 0, 0], truth[0, 0, 1] = 6, 9, 2
        image = nifti(tmp_path / f"{case}.nii.gz", np.full((4, 4, 4), 100 * number, np.int16))
        label = nifti(tmp_path / f"{case}_label.nii.gz", truth)
        items.append({"case_id": case, "image": image, "label_file": label, "report": "FINDINGS: a secret."})
    (tmp_path / "dora.nii.gz").unlink()
    (tmp_path / "eval").mkdir()
    return items


def page(folder, items, **options):
    """What the handler wrote: the page, and the data of its viewer if it has one."""
    ResultPage(output_dir=folder, items=items, **options).write(None)
    text = (folder / "page.html").read_text(encoding="utf-8")
    assert "secret" not in text and not [case for case in CASES if case in text]
    scripts = parsed(text).scripts
    return text, json.loads(scripts[0]) if scripts else None


def dice(value):
    return {"dice": value, "hd95": None, "label_ml": 1.0, "predicted_ml": 2.0}


def segmented(folder):
    entry = {"mean": 0.5, "interval": [0.4, 0.6], "cases": 4}
    summary = {"dice": entry, "surface_dice": entry, "hd95": {"mean": None, "interval": None, "cases": 0}}
    per_case = [
        {"case_id": case, "classes": {"liver": dice(value)}}
        for case, value in zip(CASES, (0.9, 0.2, 0.6, 0.3), strict=True)
    ]
    classes = {"liver": {**summary, "missed": 1, "invented": 0}}
    report = {"cases": 4, "classes": classes, "mean": summary, "per_case": per_case}
    (folder / "metrics.json").write_text(json.dumps(report))


def test_a_segmentation_from_its_worst_case_to_its_best(cohort, tmp_path):
    folder = tmp_path / "eval"
    segmented(folder)
    (folder / "metrics.png").write_bytes(b"a picture")
    nifti(folder / "bert_pred.nii.gz", np.full((4, 4, 4), 6, np.uint8))
    text, data = page(folder, cohort, labels=TABLE)
    assert [one["name"] for one in data["cases"]] == ["2 of 4", "3 of 4", "1 of 4"]
    assert [one["name"] for one in data["classes"]] == ["kidneys", "liver"]
    worst = data["cases"][0]
    truth, prediction = (unpack(layer) for layer in worst["labels"])
    assert (unpack(worst["image"]) == 100).all() and (prediction == 2).all()
    assert truth[0, 0, 0] == 0 and truth[0, 0, 1] == 1 and (truth[1] == 2).all()
    assert worst["facts"]["rows"] == [["liver", "0.20", "-", "1.0", "2.0"]]
    assert "<td>0.500 (0.400 to 0.600)</td><td>0.500 (0.400 to 0.600)</td><td>-</td><td>1</td><td>0</td>" in text
    assert "data:image/png;base64,YSBwaWN0dXJl" in text


def test_a_case_that_cannot_be_shown_ends_nothing(cohort, tmp_path, caplog):
    segmented(tmp_path / "eval")
    with caplog.at_level(logging.WARNING):
        text, data = page(tmp_path / "eval", cohort, cases=4)
    assert [one["name"] for one in data["cases"]] == ["2 of 4", "3 of 4", "1 of 4"]
    assert "Cases that could not be shown: 1;" in text and "dora.nii.gz does not exist" in caplog.text
    # without a table classes are the values of the files
    assert [one["name"] for one in data["classes"]] == [f"value {value}" for value in range(1, 10)]


def test_a_classification_with_its_attention(cohort, tmp_path):
    folder = tmp_path / "eval"
    entry = {"value": 0.75, "interval": [0.5, 1.0]}
    measures = dict.fromkeys(("auroc", "auprc", "sensitivity", "specificity"), entry)
    scores, labels = {"cyst": 0.25, "lung_nodule": 0.5}, {"cyst": 1, "lung_nodule": None}
    per_case = [{"case_id": case, "scores": scores, "labels": labels} for case in CASES]
    findings = {name: {**measures, "positives": 1, "negatives": 3} for name in scores}
    report = {"cases": 4, "findings": findings, "mean": measures, "per_case": per_case}
    (folder / "metrics.json").write_text(json.dumps(report))
    nifti(folder / "anna_attention.nii.gz", np.arange(16, dtype=np.float32).reshape(2, 2, 2, 2), np.diag([2, 2, 2, 1]))
    # what a classification calls label is a vector of findings
    items = [{**item, "label_file": None, "label": [1.0, np.nan]} for item in cohort]
    text, data = page(folder, items, cases=1)
    (shown,) = data["cases"]
    assert shown["name"] == "1 of 4" and shown["labels"] == []
    assert shown["facts"]["rows"] == [["lung nodule", "0.500", "unknown"], ["cyst", "0.250", "present"]]
    assert [(one["name"], one["low"], one["high"]) for one in shown["maps"]] == [
        ("attention, cyst", 0.0, 14.0), ("attention, lung nodule", 1.0, 15.0),
    ]  # fmt: skip
    assert '<th scope="row">cyst</th><td>0.750 (0.500 to 1.000)</td>' in text and "<td>1</td><td>3</td>" in text


def test_a_pretraining_with_the_text_maps_that_inference_left(cohort, tmp_path):
    folder = tmp_path / "eval"
    gauges = {"cases": 4, "batch_size": 2, "tic_chance": 0.5, "tic_accuracy": 0.75, "tic_accuracy_interval": None,
              "effective_rank": 3.0, "embedding_width": 8, "verdict": ["The network looks."]}  # fmt: skip
    (folder / "gauges.json").write_text(json.dumps(gauges))
    (folder / "features").mkdir()
    nifti(
        folder / "features" / "carl_text.nii.gz",
        np.arange(8, dtype=np.float32).reshape(2, 2, 2),
        np.diag([2, 2, 2, 1]),
    )
    text, data = page(folder, cohort[:3])
    assert [len(one["maps"]) for one in data["cases"]] == [0, 0, 1]
    assert "<li>The network looks.</li>" in text and "<td>0.750</td>" in text
    text, data = page(folder, cohort[:3], cases=0)
    assert data is None and "<td>0.750</td>" in text


def test_without_results_there_is_no_page(cohort, tmp_path):
    ResultPage(output_dir=tmp_path / "eval", items=cohort).write(None)
    assert not (tmp_path / "eval" / "page.html").exists()
