import math

import numpy as np
import pytest

from t3d.metrics.segmentation_summary import mean_over_classes, summarise

NAN = math.nan


def measured(dice, *, hd95=1.0, label_ml=1.0, predicted_ml=1.0) -> dict:
    return {"dice": dice, "surface_dice": dice, "hd95": hd95, "label_ml": label_ml, "predicted_ml": predicted_ml}


def case(patient, liver, spleen, lesions=None) -> dict:
    return {"patient_id": patient, "classes": {"liver": liver, "spleen": spleen}, "lesions": {"liver": lesions}}


def test_undefined_values_stay_out_of_the_means():
    cases = [
        case("p1", measured(0.9), measured(NAN, hd95=NAN, label_ml=0.0, predicted_ml=0.0)),
        case("p1", measured(0.7), measured(0.4)),
        case("p2", measured(0.0, hd95=NAN, predicted_ml=0.0), measured(0.0, hd95=NAN, label_ml=0.0)),
    ]
    found = summarise(cases, classes=["liver", "spleen"])
    liver, spleen = found["classes"]["liver"], found["classes"]["spleen"]
    assert liver["dice"]["mean"] == pytest.approx(1.6 / 3) and liver["dice"]["cases"] == 3
    assert liver["hd95"] == {"mean": 1.0, "interval": [1.0, 1.0], "cases": 2}
    assert (liver["missed"], liver["invented"]) == (1, 0)
    assert spleen["dice"]["mean"] == pytest.approx(0.2) and spleen["dice"]["cases"] == 2
    assert (spleen["missed"], spleen["invented"]) == (0, 1)
    assert found["mean"]["dice"]["mean"] == pytest.approx((1.6 / 3 + 0.2) / 2)
    assert found["lesions"] is None


def test_class_that_is_nowhere():
    nothing = measured(NAN, hd95=NAN, label_ml=0.0, predicted_ml=0.0)
    found = summarise([case("p", measured(0.5), nothing)], classes=["liver", "spleen"])
    assert found["classes"]["spleen"]["dice"] == {"mean": None, "interval": None, "cases": 0}
    assert found["mean"]["dice"]["mean"] == 0.5


def test_interval_draws_patients_not_cases():
    one_patient = [case("p", measured(v), measured(v)) for v in (0.1, 0.5, 0.9)]
    assert summarise(one_patient, classes=["liver"])["mean"]["dice"]["interval"] == pytest.approx([0.5, 0.5])
    three = [case(f"p{v}", measured(v), measured(v)) for v in (0.1, 0.5, 0.9)]
    low, high = summarise(three, classes=["liver"])["mean"]["dice"]["interval"]
    assert low < 0.3 and high > 0.7


def test_mean_over_classes_weighs_classes_the_same():
    assert mean_over_classes(np.array([[1.0, 0.0], [1.0, NAN], [1.0, NAN]])) == 0.5
    assert math.isnan(mean_over_classes(np.array([[NAN, NAN]])))


def test_lesions_are_pooled_over_cases():
    def found(detected, missed, false, left_out=0):
        lesions = [{"mm3": 1.0, "detected": True}] * detected + [{"mm3": 1.0, "detected": False}] * missed
        return {"lesions": lesions, "left_out": left_out, "false_positives": [2.0] * false}

    organ = measured(0.5)
    cases = [
        case("p1", organ, organ, found(3, 1, 0, left_out=2)),
        case("p2", organ, organ, found(0, 0, 2)),  # no lesion: no sensitivity, but false positives count
        case("p3", organ, organ, found(1, 3, 1)),
    ]
    summary = summarise(cases, classes=["liver", "spleen"], lesions=["liver"])["lesions"]["liver"]
    assert (summary["lesions"], summary["detected"], summary["left_out"]) == (8, 4, 2)
    assert summary["sensitivity"]["value"] == 0.5
    assert 0.25 <= summary["sensitivity"]["interval"][0] < 0.5 < summary["sensitivity"]["interval"][1] <= 0.75
    assert summary["false_positives_per_case"]["mean"] == 1.0


def test_no_lesion_at_all_has_no_sensitivity():
    nothing = {"lesions": [], "left_out": 0, "false_positives": []}
    cases = [case("p1", measured(0.5), measured(0.5), nothing)]
    summary = summarise(cases, classes=["liver", "spleen"], lesions=["liver"])["lesions"]["liver"]
    assert summary["sensitivity"] == {"value": None, "interval": None}
    assert summary["false_positives_per_case"]["mean"] == 0.0
