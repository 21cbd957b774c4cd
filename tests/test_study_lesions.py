"""Single lesions in a study: curves against a plain bootstrap, size classes, and who is measured against what."""

import numpy as np
import pytest

from t3d.errors import T3DError
from t3d.metrics.froc import RATES
from t3d.study.comparison import compare
from t3d.study.outcome import read_outcomes, write_outcomes
from t3d.study.segmentation_outcomes import segmentation_outcomes
from t3d.study.size_classes import lesion_size_classes

OPTIONS = {"reference": "twin", "controls": {}, "oracle": None, "least_positives": 5, "resamples": 40}


def measured(seed, *, good):
    """Cases of one arm: the lesions are the same for all, the scores are its own."""
    truth, random = np.random.default_rng(0), np.random.default_rng(seed)
    cases = []
    for number in range(24):
        scored = {}
        for name, most in (("nodule", 4), ("cyst", 2)):
            sizes = truth.uniform(10, 500, truth.integers(0, most)).tolist()
            lesions = [{"mm3": mm3, "score": round(random.uniform(0, good) * (mm3 > 60), 2)} for mm3 in sizes]
            false = random.uniform(0.1, 1.0, random.integers(0, 5)).round(2).tolist()
            scored[name] = {"lesions": lesions, "false_positives": false}
        matched = {
            name: {"lesions": [{**one, "detected": one["score"] > 0.5} for one in found["lesions"]], **false_of(found)}
            for name, found in scored.items()
        }
        classes = {name: {"dice": 0.5, "surface_dice": 0.5} for name in ("liver", "nodule", "cyst")}
        who = {"case_id": f"c{number}", "patient_id": f"p{number // 2}"}
        cases.append({**who, "classes": classes, "lesions": matched, "scored_lesions": scored})
    return cases


def false_of(found):
    return {"false_positives": found["false_positives"]}


def plain(cases, name, rate, *, wanted=lambda mm3: True):
    """The best sensitivity of a threshold with at most so many false positives per case."""
    lesions = [one["score"] for case in cases for one in case["scored_lesions"][name]["lesions"] if wanted(one["mm3"])]
    false = [score for case in cases for score in case["scored_lesions"][name]["false_positives"]]
    allowed = [t for t in {*lesions, *false} if t > 0 and sum(score >= t for score in false) <= rate * len(cases)]
    return max((np.mean([score >= t for score in lesions]) for t in allowed), default=0.0)


@pytest.fixture(scope="module")
def given():
    return {"twin": measured(1, good=0.8), "default": measured(2, good=1.6)}


def froc_of(given):
    return {arm: {0: segmentation_outcomes(cases)[2]} for arm, cases in given.items()}


def test_rows_are_those_of_a_plain_bootstrap(given):
    rows = compare("lesions", 5, froc_of(given), **OPTIONS).rows
    found = {(row.target, row.metric, row.arm, row.against): row for row in rows}
    patients = np.array([case["patient_id"] for case in given["twin"]])
    names = np.unique(patients)
    draws = [np.arange(24)]
    for picked in np.random.default_rng(0).integers(0, len(names), (40, len(names))):
        draws.append(np.concatenate([np.flatnonzero(patients == names[place]) for place in picked]))

    def curve(arm, name, rate):
        return np.array([plain([given[arm][row] for row in rows], name, rate) for rows in draws])

    for rate in RATES:
        means = {arm: np.mean([curve(arm, name, rate) for name in ("nodule", "cyst")], axis=0) for arm in given}
        for row, values in (
            (found["mean", f"sensitivity@{rate:g}", "default", ""], means["default"]),
            (found["mean", f"sensitivity@{rate:g}", "default", "twin"], means["default"] - means["twin"]),
        ):
            assert row.value == pytest.approx(values[0])
            assert (row.low, row.high) == pytest.approx(tuple(np.percentile(values[1:], (2.5, 97.5))))
    whole = np.mean([plain(given["default"], "nodule", rate) for rate in RATES])
    assert found["nodule", "froc", "default", ""].value == pytest.approx(whole)
    lesions = sum(len(case["scored_lesions"]["nodule"]["lesions"]) for case in given["twin"])
    assert found["nodule", "froc", "default", ""].positives == lesions


def test_size_classes_keep_all_false_positives(given):
    outcome = froc_of(given)["default"][0]
    sizes = [one["mm3"] for case in given["default"] for one in case["scored_lesions"]["nodule"]["lesions"]]
    middle = np.median(sizes)
    split = lesion_size_classes(outcome)
    for name, wanted in (("small", lambda mm3: mm3 < middle), ("large", lambda mm3: mm3 >= middle)):
        rows = compare("lesions", 5, {"twin": {0: split[name]}}, **OPTIONS).rows
        found = next(row for row in rows if (row.target, row.metric) == ("nodule", "sensitivity@1"))
        assert found.value == pytest.approx(plain(given["default"], "nodule", 1.0, wanted=wanted))
        assert found.positives == sum(map(wanted, sizes))


def test_scores_of_lesions_come_back(given, tmp_path):
    outcome = froc_of(given)["twin"][0]
    write_outcomes(tmp_path, outcome)
    found = read_outcomes(tmp_path)[0]
    assert np.array_equal(found.values, outcome.values, equal_nan=True)
    assert np.array_equal(found.lesion_sizes, outcome.lesion_sizes, equal_nan=True)


def test_too_few_lesions_are_left_out_and_other_lesions_refused(given):
    outcomes = froc_of(given)
    few = sum(len(case["scored_lesions"]["cyst"]["lesions"]) for case in given["twin"])
    assert compare("lesions", 5, outcomes, **{**OPTIONS, "least_positives": few + 1}).left_out == ["cyst"]
    outcomes["default"][0].lesion_sizes[0, 3, 0] = 12345.0
    with pytest.raises(T3DError, match="measured against other labels"):
        compare("lesions", 5, outcomes, **OPTIONS)
