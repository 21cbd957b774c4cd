"""Arms against each other on the same test cases: values, paired differences, and the share of the gap they close."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from t3d.errors import T3DError
from t3d.metrics.intervals import PERCENTILES
from t3d.metrics.resampled import patient_weights
from t3d.study.outcome import Outcome
from t3d.study.samples import Samples, positives, resampled, same_truth

MEAN, GAP = "mean", "gap_closed"


class Row(NamedTuple):
    """One line of the long table.

    Attributes:
        task, labels, target, metric, arm: what of whom; ``target`` is a finding, a class, or ``mean`` over them.
        against: empty for the arm's own value, else the arm that is subtracted.
        value, low, high: mean over seeds and its 95 % interval over patients; None where it is not defined.
        seeds: how many seeds both have.
        lowest, highest: over the seeds.
        cases, positives: of the test list, for free-response curves lesions; of all targets together for ``mean``.
    """

    task: str
    labels: int | str | None
    target: str
    metric: str
    arm: str
    against: str
    value: float | None
    low: float | None
    high: float | None
    seeds: int
    lowest: float | None
    highest: float | None
    cases: int
    positives: int | None


class Compared(NamedTuple):
    """Rows of one task and budget, and the findings left out for having too few positives."""

    rows: list[Row]
    left_out: list[str]


def compare(
    task: str,
    labels: int | str | None,
    outcomes: Mapping[str, Mapping[int, Outcome]],
    *,
    reference: str,
    controls: Mapping[str, str],
    oracle: str | None,
    least_positives: int,
    resamples: int,
) -> Compared:
    """Compare the arms of one task and budget.

    One draw of patients serves all seeds and arms: the interval speaks of other patients, and a patient who is hard
    for one seed is hard for the others. How seeds differ stands beside it, as lowest and highest.

    Args:
        task, labels: for the rows.
        outcomes: arm -> seed -> what it left of the test cases.
        reference: differences are from this arm, and from an arm's control where it has one.
        controls: arm -> the arm with shuffled reports that it is held against: the lower end of the gap.
        oracle: the upper end.
        least_positives: findings with fewer among the test cases are left out.
        resamples: R.
    """
    every = [one for seeds in outcomes.values() for one in seeds.values()]
    cases = [case for case in every[0].cases if all(case in set(one.cases) for one in every)]
    if not cases:
        raise T3DError(f"{task}: the arms have no test case in common, so nothing can be compared; see their logs")
    common = {arm: {seed: one.of_cases(cases) for seed, one in seeds.items()} for arm, seeds in outcomes.items()}
    first = next(iter(next(iter(common.values())).values()))
    for one in (one for seeds in common.values() for one in seeds.values()):
        if not same_truth(one, first):
            raise T3DError(f"{task}: arms were measured against other labels; delete the folder and run again")
    found = positives(first)
    kept = [f for f in range(len(first.targets)) if found is None or found[f] >= least_positives]
    targets = [first.targets[f] for f in kept]
    left_out = [name for name in first.targets if name not in targets]
    if not kept:
        return Compared([], left_out)
    weights = patient_weights(np.array(first.patients), resamples=resamples)
    sampled = {
        arm: {seed: resampled(one, kept, weights) for seed, one in seeds.items()} for arm, seeds in common.items()
    }
    counts = None if found is None else [int(found[kept].sum()), *(int(found[f]) for f in kept)]
    make = _Rows(task, labels, [MEAN, *targets], counts, len(cases))
    for arm in sampled:
        control = controls.get(arm)
        make.add(arm, "", list(sampled[arm].values()))
        for other in dict.fromkeys(name for name in (reference, control) if name in sampled and name != arm):
            make.add(arm, str(other), _differences(sampled[arm], sampled[str(other)]))
        if control in sampled and oracle in sampled and arm != oracle:
            make.add_gap(arm, sampled[arm], sampled[str(control)], sampled[str(oracle)])
    return Compared(make.rows, left_out)


def _differences(arm: Mapping[int, Samples], other: Mapping[int, Samples]) -> list[Samples]:
    """Of each seed that both have."""
    return [{metric: arm[seed][metric] - other[seed][metric] for metric in arm[seed]} for seed in arm if seed in other]


def interval(samples: np.ndarray) -> tuple[float | None, float | None, float | None]:
    """Value (row 0) and 95 % interval of (R + 1,); no interval where fewer than half of the resamples have a value."""
    value, drawn = samples[0], samples[1:][np.isfinite(samples[1:])]
    if not np.isfinite(value):
        return None, None, None
    if len(drawn) < max(1, (len(samples) - 1) / 2):
        return float(value), None, None
    low, high = np.percentile(drawn, PERCENTILES)
    return float(value), float(low), float(high)


class _Rows:
    """Collects the rows of one task and budget."""

    def __init__(
        self, task: str, labels: int | str | None, targets: Sequence[str], positives: list[int] | None, cases: int
    ) -> None:
        self.place = task, labels
        self.targets, self.positives, self.cases = targets, positives, cases
        self.rows: list[Row] = []

    def add(self, arm: str, against: str, seeds: Sequence[Samples]) -> None:
        """A row for each metric and target: mean over the seeds."""
        for metric in seeds[0] if seeds else ():
            each = np.stack([one[metric] for one in seeds])
            for column in range(len(self.targets)):
                self._row(column, metric, arm, against, each[:, :, column].mean(axis=0), each[:, 0, column])

    def add_gap(
        self, arm: str, own: Mapping[int, Samples], low: Mapping[int, Samples], high: Mapping[int, Samples]
    ) -> None:
        """The share of the gap from shuffled reports to true findings; none where that gap may be 0."""
        seeds = [seed for seed in own if seed in low and seed in high]
        for metric in ("auroc", "skill") if seeds else ():
            if metric not in own[seeds[0]]:
                continue
            a, b, c = (np.mean([one[seed][metric][:, 0] for seed in seeds], axis=0) for one in (own, low, high))
            width = interval(c - b)
            if width[1] is not None and width[1] > 0:
                with np.errstate(invalid="ignore", divide="ignore"):
                    self._row(0, f"{GAP}_{metric}", arm, "", (a - b) / (c - b), np.array([]), seeds=len(seeds))

    def _row(
        self,
        column: int,
        metric: str,
        arm: str,
        against: str,
        samples: np.ndarray,
        by_seed: np.ndarray,
        *,
        seeds: int | None = None,
    ) -> None:
        ends = by_seed[np.isfinite(by_seed)]
        lowest, highest = (float(ends.min()), float(ends.max())) if len(ends) else (None, None)
        count = len(by_seed) if seeds is None else seeds
        positives = None if self.positives is None else self.positives[column]
        value, low, high = interval(samples)
        row = Row(
            *self.place,
            target=self.targets[column],
            metric=metric,
            arm=arm,
            against=against,
            value=value,
            low=low,
            high=high,
            seeds=count,
            lowest=lowest,
            highest=highest,
            cases=self.cases,
            positives=positives,
        )
        self.rows.append(row)
