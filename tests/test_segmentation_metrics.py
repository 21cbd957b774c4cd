import json

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import Dataset, MetaTensor
from monai.engines import SupervisedEvaluator

from t3d.errors import T3DError
from t3d.evaluate.segmentation_metrics import SegmentationMetrics
from t3d.infer.case_by_case import run_cases

TABLE = {"background": [0, 9], "liver": 6, "kidneys": [2, 3], "tumour": 7}
AFFINE = np.diag([-2.0, 2.0, 2.5, 1.0])
SHAPE = (10, 10, 8)


def label() -> np.ndarray:
    array = np.zeros(SHAPE, dtype=np.uint8)
    array[1:5, 1:9, 1:7] = 6
    array[6:8, 1:3, 1:3], array[6:8, 6:8, 1:3] = 2, 3
    array[9, 9, :] = 9
    array[2, 2, 2] = array[3, 6, 5] = 7
    return array


def prediction() -> np.ndarray:
    """Liver right, both kidneys as one class with one of them missed, one tumour found, one invented."""
    array = label()
    array[array == 9] = 0
    array[array == 3] = 0
    array[3, 6, 5] = 6
    array[9, 0, 0] = 7
    return array


def items(folder, cases) -> list[dict]:
    found = []
    for case, (array, affine, patient) in cases.items():
        item = {"case_id": case, "patient_id": patient}
        if array is not None:
            item["label_file"] = str(folder / f"{case}_label.nii.gz")
            nib.save(nib.Nifti1Image(array, affine), item["label_file"])
        found.append(item)
    return found


def evaluate(folder, cases, *, predicted=None, **options) -> SegmentationMetrics:
    """The handler on a stock evaluator whose network answers with the given label map."""
    predicted = prediction() if predicted is None else predicted

    def load(item):
        return {**item, "image": MetaTensor(torch.as_tensor(predicted[None]).float(), affine=torch.as_tensor(AFFINE))}

    metrics = SegmentationMetrics(**{"output_dir": folder / "out", "label_names": TABLE, **options})
    engine = SupervisedEvaluator(
        device=torch.device("cpu"), val_data_loader=[], network=torch.nn.Identity(), val_handlers=[metrics]
    )
    run_cases(engine, Dataset(items(folder, cases), load), output_dir=folder / "out")
    return metrics


def content(folder) -> dict:
    return json.loads((folder / "out" / "metrics.json").read_text())


def test_numbers_by_hand(tmp_path):
    evaluate(tmp_path, {"a": (label(), AFFINE, 1)}, lesions=["tumour"], settings={"split": "test"})
    found = content(tmp_path)
    classes = found["per_case"][0]["classes"]
    assert list(classes) == ["liver", "kidneys", "tumour"]  # the background is not scored
    # liver: 4 * 8 * 6 - 2 = 190 voxels; the prediction has one more
    assert classes["liver"]["dice"] == pytest.approx(380 / 381)
    assert classes["liver"]["label_ml"] == pytest.approx(190 * 0.01)
    assert classes["kidneys"]["dice"] == pytest.approx(2 * 8 / (8 + 16))
    # the missed kidney's voxels are 4 or 5 voxels of 2 mm from the one that was found: 8 of 16 are too far
    assert classes["kidneys"]["surface_dice"] == pytest.approx((8 + 8) / 24)
    assert classes["kidneys"]["hd95"] == pytest.approx(10.0)
    assert classes["tumour"]["dice"] == pytest.approx(2 * 1 / 4)
    assert found["mean"]["dice"]["mean"] == pytest.approx((380 / 381 + 2 / 3 + 0.5) / 3)
    tumour = found["lesions"]["tumour"]
    assert (tumour["lesions"], tumour["detected"], tumour["sensitivity"]["value"]) == (2, 1, 0.5)
    assert tumour["false_positives_per_case"]["mean"] == 1.0
    assert found["per_case"][0]["lesions"]["tumour"]["lesions"] == [
        {"mm3": 10.0, "detected": True}, {"mm3": 10.0, "detected": False}
    ]  # fmt: skip
    assert found["cases"] == 1 and found["tolerance_mm"] == 2.0 and found["settings"] == {"split": "test"}
    assert found["failed"] == []


def test_probabilities_give_every_lesion_a_score(tmp_path):
    metrics = SegmentationMetrics(output_dir=tmp_path, label_names=TABLE, lesions=["tumour"])
    item = items(tmp_path, {"a": (label(), AFFINE, 1)})[0]
    predicted = MetaTensor(torch.as_tensor(prediction()[None]), affine=torch.as_tensor(AFFINE))
    probability = torch.zeros(1, *SHAPE)
    probability[0, 2, 2, 2], probability[0, 9, 0, 0] = 0.25, 0.75
    found = metrics.measure_case(item, predicted, probability)["scored_lesions"]["tumour"]
    assert found == {"lesions": [{"mm3": 10.0, "score": 0.25}, {"mm3": 10.0, "score": 0.0}], "false_positives": [0.75]}
    assert metrics.measure_case(item, predicted)["scored_lesions"] == {}


def test_absent_class_is_null(tmp_path):
    array = label()
    array[array == 7] = 6
    predicted = array.copy()
    evaluate(tmp_path, {"a": (array, AFFINE, 1)}, predicted=predicted)
    found = content(tmp_path)
    assert found["per_case"][0]["classes"]["tumour"]["dice"] is None
    assert found["classes"]["tumour"]["dice"] == {"mean": None, "interval": None, "cases": 0}
    assert found["mean"]["dice"]["mean"] == 1.0
    assert found["lesions"] is None and found["froc"] is None and found["lesion_matching"] is None


def test_label_turned_by_a_converter(tmp_path):
    turned = nib.Nifti1Image(label(), AFFINE).as_reoriented([[0, -1], [2, 1], [1, -1]])
    evaluate(tmp_path, {"a": (np.asarray(turned.dataobj), turned.affine, 1), "b": (label(), AFFINE, 2)})
    first, second = (case["classes"] for case in content(tmp_path)["per_case"])
    assert first == second


def test_bad_cases_are_failures_and_the_others_count(tmp_path):
    odd = label()
    odd[0, 0, 0] = 44
    cases = {
        "a": (label(), AFFINE, 1),
        "short": (label()[:-1], AFFINE, 2),
        "moved": (label(), AFFINE + np.eye(4, k=3), 3),
        "odd": (odd, AFFINE, 4),
        "bare": (None, None, 5),
        "b": (label(), AFFINE, 6),
    }
    with pytest.raises(T3DError, match="4 of 6 cases failed"):
        evaluate(tmp_path, cases)
    found = content(tmp_path)
    assert [case["case_id"] for case in found["per_case"]] == ["a", "b"] and found["cases"] == 2
    errors = {failure["case_id"]: failure["error"] for failure in found["failed"]}
    assert list(errors) == ["short", "moved", "odd", "bare"]
    assert "9 x 10 x 8" in errors["short"] and "10 x 10 x 8" in errors["short"]
    assert "different grids" in errors["moved"] and "mm apart" in errors["moved"]
    assert "outside the label table (44)" in errors["odd"]
    assert errors["bare"].startswith("case bare: has no label")


def test_interval_is_over_patients(tmp_path):
    worse = label()
    worse[1:3] = 0
    evaluate(tmp_path, {"a": (label(), AFFINE, "p"), "b": (worse, AFFINE, "p")})
    liver = content(tmp_path)["classes"]["liver"]["dice"]
    assert liver["interval"] == pytest.approx([liver["mean"]] * 2)  # one patient: nothing to resample


def test_earlier_metrics_are_kept(tmp_path):
    evaluate(tmp_path, {"a": (label(), AFFINE, 1)})
    before = (tmp_path / "out" / "metrics.json").read_bytes()
    with pytest.raises(T3DError, match="metrics.json is already there.*--overwrite True"):
        evaluate(tmp_path, {"b": (label(), AFFINE, 1)})
    assert (tmp_path / "out" / "metrics.json").read_bytes() == before
    evaluate(tmp_path, {"b": (label(), AFFINE, 1)}, overwrite=True)
    assert content(tmp_path)["per_case"][0]["case_id"] == "b"


def test_nothing_measured_writes_nothing(tmp_path, caplog):
    with pytest.raises(T3DError, match="1 of 1 cases failed"):
        evaluate(tmp_path, {"bare": (None, None, 1)})
    assert not (tmp_path / "out" / "metrics.json").exists()
    assert "no case was measured" in caplog.text


def test_prediction_must_be_a_label_map(tmp_path):
    two_channels = np.stack([prediction()] * 2, axis=0)
    metrics = SegmentationMetrics(output_dir=tmp_path, label_names=TABLE)
    item = items(tmp_path, {"a": (label(), AFFINE, 1)})[0]
    with pytest.raises(T3DError, match="case a: the prediction has the shape"):
        metrics.measure_case(item, MetaTensor(torch.as_tensor(two_channels), affine=torch.as_tensor(AFFINE)))


def test_options(tmp_path):
    with pytest.raises(T3DError, match="lesions: cyst is no class of the label table; use one of liver, kidneys"):
        SegmentationMetrics(output_dir=tmp_path, label_names=TABLE, lesions=["cyst"])
    listed = SegmentationMetrics(output_dir=tmp_path, label_names=["background", "liver", "spleen"])
    assert listed.classes == {"liver": [1], "spleen": [2]}
