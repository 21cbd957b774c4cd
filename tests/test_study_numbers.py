"""Probes and comparisons against plain implementations."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

from t3d.errors import T3DError
from t3d.study.comparison import compare
from t3d.study.outcome import SCORES, Outcome, read_outcomes, write_outcomes
from t3d.study.probe import fit_logistic, probe_scores
from t3d.study.report import as_csv, as_markdown
from t3d.study.size_classes import largest_lesions, size_classes

CONTROLS = dict.fromkeys(("twin", "default", "oracle"), "shuffled")
OPTIONS = {"reference": "twin", "controls": CONTROLS, "oracle": "oracle", "least_positives": 8, "resamples": 20}


def test_regressions_are_those_of_scikit_learn():
    random = np.random.default_rng(1)
    features = random.normal(size=(80, 12))
    labels = (features[:, :3] + random.normal(size=(80, 3)) > 0.3).astype(float)
    labels[:9, 1] = np.nan
    weight, intercept = fit_logistic(features, labels, l2=4.0)
    for column in range(3):
        known = np.isfinite(labels[:, column])
        plain = LogisticRegression(C=1 / 4.0, tol=1e-8, max_iter=5000).fit(features[known], labels[known, column])
        assert weight[:, column] == pytest.approx(plain.coef_[0], abs=2e-4)
        assert intercept[column] == pytest.approx(plain.intercept_[0], abs=2e-4)


def test_a_probe_takes_its_draws_and_standardises_by_them():
    random = np.random.default_rng(2)
    train, test = random.normal(3, 5, size=(60, 6)), random.normal(3, 5, size=(20, 6))
    train[:, 4] = test[:, 4] = 1.0
    labels = np.stack([train[:, 0] > 4, np.arange(60) == 0, train[:, 1] > 2], axis=1).astype(float)
    scores = probe_scores(train, labels, test, budget=25, draws=3, l2=10.0)
    assert scores.shape == (3, 20, 3)
    for draw in range(3):
        chosen = np.random.default_rng([draw]).permutation(60)[:25]
        scale = StandardScaler().fit(train[chosen])
        plain = LogisticRegression(C=0.1, tol=1e-8, max_iter=5000).fit(
            scale.transform(train[chosen]), labels[chosen, 2]
        )
        assert scores[draw, :, 2] == pytest.approx(plain.decision_function(scale.transform(test)), abs=1e-3)
        assert np.isnan(scores[draw, :, 1]).all() != (0 in chosen)
    everything = probe_scores(train, labels, test, budget=None, draws=1, l2=10.0)
    assert np.isfinite(everything).all()


def outcomes(seeds=(0, 1), cases=60):
    random = np.random.default_rng(5)
    labels = np.stack([random.uniform(size=cases) < share for share in (0.5, 0.3, 0.0)], axis=1).astype(float)
    labels[:7, 2] = 1
    names = [f"c{n}" for n in range(cases)], [f"p{n // 2}" for n in range(cases)]
    skills = {"twin": 0.2, "default": 1.0, "shuffled": 0.3, "oracle": 2.0}
    return {
        arm: {
            seed: Outcome(
                SCORES, random.normal(size=(2, cases, 3)) + strength * labels, labels, *names, ["a", "b", "rare"]
            )
            for seed in seeds
        }
        for arm, strength in skills.items()
    }


def test_rows_are_those_of_a_plain_bootstrap():
    given = outcomes()
    compared = compare("probe", 50, given, **OPTIONS)
    assert compared.left_out == ["rare"]
    patients = np.array(given["twin"][0].patients)
    names = np.unique(patients)
    draws = [np.arange(60)]
    for picked in np.random.default_rng(0).integers(0, len(names), (20, len(names))):
        draws.append(np.concatenate([np.flatnonzero(patients == names[place]) for place in picked]))

    def plain(arm, seed, rows, skill=False):
        one, found = given[arm][seed], []
        for finding in (0, 1):
            truth = one.labels[rows, finding]
            for scores in one.values[:, rows, finding]:
                if skill:
                    share = truth.mean()
                    found.append((average_precision_score(truth, scores) - share) / (1 - share))
                else:
                    found.append(roc_auc_score(truth, scores))
        return np.mean(found)

    def expect(row, values):
        assert row.value == pytest.approx(values[0], abs=1e-6)
        assert (row.low, row.high) == pytest.approx(tuple(np.percentile(values[1:], (2.5, 97.5))), abs=1e-6)

    found = {(row.target, row.metric, row.arm, row.against): row for row in compared.rows}
    for skill, metric in ((False, "auroc"), (True, "skill")):
        mean = {
            arm: np.array([np.mean([plain(arm, seed, rows, skill) for seed in (0, 1)]) for rows in draws])
            for arm in given
        }
        expect(found["mean", metric, "default", ""], mean["default"])
        expect(found["mean", metric, "default", "twin"], mean["default"] - mean["twin"])
        expect(found["mean", metric, "default", "shuffled"], mean["default"] - mean["shuffled"])
        share = (mean["default"] - mean["shuffled"]) / (mean["oracle"] - mean["shuffled"])
        expect(found["mean", f"gap_closed_{metric}", "default", ""], share)
    row = found["mean", "auroc", "default", ""]
    each = [plain("default", seed, draws[0]) for seed in (0, 1)]
    assert (row.lowest, row.highest, row.seeds) == (pytest.approx(min(each)), pytest.approx(max(each)), 2)
    assert found["a", "auroc", "default", ""].positives == int(given["twin"][0].labels[:, 0].sum())


def test_no_share_of_a_gap_that_may_be_nothing():
    given = outcomes()
    given["oracle"] = given["shuffled"]
    compared = compare("probe", 50, given, **OPTIONS)
    assert not any(row.metric.startswith("gap") for row in compared.rows)


def test_measures_of_cases_and_seeds_that_only_one_arm_has():
    cases = [f"c{n}" for n in range(6)]

    def dice(rows):
        values = np.array([[[value] for value in rows]], dtype=float)
        return Outcome("dice", values, np.full((6, 1), np.nan), cases, cases, ["liver"])

    given = {
        "twin": {0: dice([0.5] * 6)},
        "default": {0: dice([0.7, 0.7, 0.7, 0.7, 0.7, np.nan]), 1: dice([0.9] * 6)},
    }
    rows = compare("organs", 5, given, **OPTIONS).rows
    found = {(row.target, row.arm, row.against): row for row in rows}
    assert found["liver", "default", ""].value == pytest.approx(0.8)
    difference = found["mean", "default", "twin"]
    assert difference.value == pytest.approx(0.2) and difference.seeds == 1
    table = as_markdown(rows, arms=["twin", "default"], notes=["a note"])
    assert "| default | +0.200 (+0.200 to +0.200) |" in table and "- a note" in table
    assert len(as_csv(rows).splitlines()) == 1 + len(rows)


def test_arms_measured_against_other_labels_or_cases_are_refused():
    given = outcomes()
    changed = given["twin"][0].labels.copy()
    changed[0, 0] = 1 - changed[0, 0]
    given["twin"][0] = given["twin"][0]._replace(labels=changed)
    with pytest.raises(T3DError, match="other labels"):
        compare("probe", 50, given, **OPTIONS)
    given = outcomes()
    given["twin"][0] = given["twin"][0]._replace(cases=[f"x{n}" for n in range(60)])
    with pytest.raises(T3DError, match="no test case in common"):
        compare("probe", 50, given, **OPTIONS)


def test_an_outcome_comes_back_and_a_damaged_one_is_refused(tmp_path):
    given = outcomes()["default"][0]
    other = Outcome("dice", np.ones((1, 2, 1)), np.full((2, 1), np.nan), ["a", "b"], ["p", "p"], ["liver"])
    write_outcomes(tmp_path, given, other)
    found, second = read_outcomes(tmp_path)
    assert second.kind == "dice" and np.array_equal(second.values, other.values)
    assert found.kind == given.kind and found.cases == given.cases and found.targets == given.targets
    assert np.array_equal(found.values, given.values) and np.array_equal(found.labels, given.labels)
    (tmp_path / "outcome_1.npz").write_bytes(b"half")
    with pytest.raises(T3DError, match="damaged"):
        read_outcomes(tmp_path)


def test_size_classes_are_those_of_a_loop_over_cases():
    given = outcomes()["default"][0]
    truth: dict[str, list] = {case: [] for case in given.cases}
    random = np.random.default_rng(7)
    for row, case in enumerate(given.cases[:50]):  # the others have no size
        for name in (name for f, name in enumerate(given.targets) if given.labels[row, f] == 1):
            truth[case] += [{"finding": name, "size_mm": float(size)} for size in random.uniform(5, 50, size=2)]
    split = size_classes(given, largest_lesions(truth))
    for f, name in enumerate(given.targets):
        largest = {
            case: max(found)
            for case in given.cases
            if (found := [x["size_mm"] for x in truth[case] if x["finding"] == name])
        }
        middle = np.median(list(largest.values()))
        for row, case in enumerate(given.cases):
            small, large = (split[size].labels[row, f] for size in ("small", "large"))
            if given.labels[row, f] == 0:
                assert small == large == 0
            elif case not in largest:
                assert np.isnan(small) and np.isnan(large)
            else:
                assert (small == 1) == (largest[case] < middle) and (large == 1) == (largest[case] >= middle)
                assert np.isnan(small) != np.isnan(large)
