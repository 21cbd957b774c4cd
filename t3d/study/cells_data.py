"""Cells without a network: the cohort, and probes of features."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from t3d.data.datalist import load_datalist
from t3d.errors import T3DError
from t3d.study.cohort import datalist_of, make_cohort
from t3d.study.features_file import read_features
from t3d.study.outcome import SCORES, Outcome, write_outcomes
from t3d.study.plan_tasks import ALL
from t3d.study.probe import probe_scores

if TYPE_CHECKING:
    from t3d.study.run_cell import Work


def cohort_cell(work: "Work") -> None:
    """Phantoms or the user's datalist, checked."""
    make_cohort(work.settings, work.folder, workers=work.workers)


def probe_cell(work: "Work") -> None:
    """Findings of the test list by logistic regressions on the training list's features."""
    datalist = datalist_of(work.needs["cohort"])
    train, test = (load_datalist(datalist, split, need_report=False) for split in ("training", "test"))
    train = train[: work.settings["pool"]]
    names = names_of(train)
    budget = work.settings["labels"]
    scores = probe_scores(
        read_features(work.needs["features"], train),
        label_matrix(train, names),
        read_features(work.needs["features"], test),
        budget=None if budget == ALL else budget,
        draws=work.settings["draws"],
        l2=work.settings["l2"],
    )
    write_outcomes(work.folder, scores_outcome(scores, test, names))


def scores_outcome(scores: np.ndarray, items: Sequence[dict], names: Sequence[str]) -> Outcome:
    """Scores (D, N, F) beside the labels of their cases."""
    cases, patients = ([str(item[key]) for item in items] for key in ("case_id", "patient_id"))
    return Outcome(SCORES, scores, label_matrix(items, names), cases, patients, list(names))


def names_of(items: Sequence[dict]) -> list[str]:
    """Findings that any case knows, in alphabetical order."""
    names = sorted({name for item in items for name in item.get("findings") or {}})
    if not names:
        raise T3DError("no case of the training list has findings, so none can be probed; add them to the datalist")
    return names


def label_matrix(items: Sequence[dict], names: Sequence[str]) -> np.ndarray:
    """(N, F): 1 and 0 where a case knows a finding, else NaN."""

    def state(value: Any) -> float:
        return float(value) if value in (0, 1) and value is not None else float("nan")

    return np.array([[state((item.get("findings") or {}).get(name)) for name in names] for item in items])


def training_cases(cohort: Path) -> int:
    """Number of cases of the training list."""
    return len(load_datalist(datalist_of(cohort), "training", need_report=False))
