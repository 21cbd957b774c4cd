"""What a task leaves of every test case, in files that all comparisons read."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from t3d.atomic import write_atomically
from t3d.errors import T3DError

FILE = "outcome_{}.npz"
SCORES = "scores"  # against labels: AUROC and skill; every other kind is the name of a measure of each case


class Outcome(NamedTuple):
    """Test cases of one run.

    Attributes:
        kind: ``scores``, or the name of a measure whose mean over cases counts, such as ``dice``.
        values: (D, N, F) scores of D draws, or (1, N, F) measures; NaN where there is none.
        labels: (N, F) 0, 1 or NaN; of measures all NaN.
        cases, patients: (N,) names.
        targets: (F,) findings or classes.
    """

    kind: str
    values: np.ndarray
    labels: np.ndarray
    cases: list[str]
    patients: list[str]
    targets: list[str]

    def of_cases(self, cases: Sequence[str]) -> "Outcome":
        """The same of these cases, in their order."""
        place = {case: number for number, case in enumerate(self.cases)}
        rows = [place[case] for case in cases]
        return self._replace(
            values=self.values[:, rows],
            labels=self.labels[rows],
            cases=list(cases),
            patients=[self.patients[row] for row in rows],
        )

    def joined(self, other: "Outcome") -> "Outcome":
        """The test cases of both: two folds of one cross-validation."""
        if (self.kind, self.targets) != (other.kind, other.targets):
            raise T3DError(f"folds were measured otherwise: {self.targets} and {other.targets}; run the study again")
        return self._replace(
            values=np.concatenate([self.values, other.values], axis=1),
            labels=np.concatenate([self.labels, other.labels]),
            cases=[*self.cases, *other.cases],
            patients=[*self.patients, *other.patients],
        )


def write_outcomes(folder: Path, *outcomes: Outcome) -> None:
    """Write the outcomes of one cell, of different kinds, atomically; the same give the same bytes."""
    write_atomically({folder / FILE.format(number): _content(one) for number, one in enumerate(outcomes)})


def _content(outcome: Outcome) -> bytes:
    names = {key: getattr(outcome, key) for key in ("kind", "cases", "patients", "targets")}
    buffer = io.BytesIO()
    np.savez(
        buffer,
        values=outcome.values.astype(np.float64),
        labels=outcome.labels.astype(np.float64),
        names=np.frombuffer(json.dumps(names).encode(), dtype=np.uint8),
    )
    return buffer.getvalue()


def read_outcomes(folder: Path) -> list[Outcome]:
    """Read what ``write_outcomes`` wrote.

    Raises:
        T3DError: a file is damaged or there is none.
    """
    files = sorted(folder.glob(FILE.format("*"))) or [folder / FILE.format(0)]
    return [_read(file) for file in files]


def _read(file: Path) -> Outcome:
    try:
        with np.load(file, allow_pickle=False) as content:
            names = json.loads(content["names"].tobytes())
            return Outcome(values=content["values"], labels=content["labels"], **names)
    except (OSError, ValueError, KeyError) as error:
        raise T3DError(f"{file} is damaged; delete its folder and run the study again") from error
