import numpy as np

from t3d.metrics.intervals import bootstrap_mean, bootstrap_statistic


def test_bootstrap_resamples_patients_not_cases():
    values = np.array([0.0, 1.0] * 8)
    mean, (low, high) = bootstrap_mean(values, np.arange(16))
    assert mean == 0.5 and low < 0.4 and high > 0.6
    paired, interval = bootstrap_mean(values, np.repeat(np.arange(8), 2))
    assert paired == 0.5 and interval == [0.5, 0.5]
    assert bootstrap_mean(np.array([np.nan, 2.0]), np.array([1, 2])) == (2.0, [2.0, 2.0])
    assert bootstrap_mean(np.array([np.nan]), np.array([1])) == (None, None)


def test_any_statistic_agrees_with_the_mean_and_keeps_arrays_together():
    values, patients = np.arange(40.0), np.repeat([f"p{i}" for i in range(20)], 2)
    value, (low, high) = bootstrap_statistic(np.mean, (values,), patients)
    mean, (other_low, other_high) = bootstrap_mean(values, patients)
    assert value == mean and abs(low - other_low) < 1.5 and abs(high - other_high) < 1.5
    assert bootstrap_statistic(lambda a, b: (a - b).max(), (values, values), patients) == (0.0, [0.0, 0.0])


def test_undefined_values_are_none_and_undefined_draws_are_dropped():
    groups = np.arange(6)
    assert bootstrap_statistic(lambda a: float("nan"), (np.ones(6),), groups) == (None, None)

    def spread(a):  # not defined where a draw holds one value only
        return float(len(set(a)) > 1) if len(set(a)) > 1 else float("nan")

    assert bootstrap_statistic(spread, (np.array([0, 0, 0, 1, 1, 1]),), groups) == (1.0, [1.0, 1.0])
    # the single positive patient is drawn in about 1 - (5/6)^6 = 67 % of the draws; in 2 of 20 it mostly is not
    rare = np.array([1] + [0] * 19)
    value, interval = bootstrap_statistic(lambda a: 1.0 if a.sum() == 1 else float("nan"), (rare,), np.arange(20))
    assert value == 1.0 and interval is None
