"""What a task leaves of every test case, in files that all comparisons read."""

import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from t3d.atomic import write_atomically
from t3d.errors import T3DError

FILE = "outcome_{}.npz"
SCORES = "scores"  # against labels: AUROC and skill
FROC = "froc"  # of single lesions: sensitivity at fixed false positives; every other kind is a measure of each case
SAME_INPUT = "_corrupted"  # end of the kinds that no network has a part in: equal for all arms
TEXT_GAIN = "text_gain_in_"  # beginning of the kinds that are 0 for every network that reads no report
_NONE = np.zeros((0, 0, 0))


def tells_arms_apart(kind: str) -> bool:
    """Whether two arms with the same numbers of this kind may be one and the same network."""
    return not kind.endswith(SAME_INPUT) and not kind.startswith(TEXT_GAIN)


class Outcome(NamedTuple):
    """Test cases of one run.

    Attributes:
        kind: ``scores``, ``froc``, or the name of a measure whose mean over cases counts, such as ``dice``.
        values: (D, N, F) scores of D draws, (1, N, F) measures, or (S, N, F) scores of up to S lesions and false
            positives of a case; NaN where there is none.
        labels: (N, F) 0, 1 or NaN; of measures all NaN.
        cases, patients: (N,) names.
        targets: (F,) findings or classes.
        lesion_sizes: (S, N, F) mm3 of the lesion that has the score, 0 for a false positive; only of ``froc``.
    """

    kind: str
    values: np.ndarray
    labels: np.ndarray
    cases: list[str]
    patients: list[str]
    targets: list[str]
    lesion_sizes: np.ndarray = _NONE

    def of_cases(self, cases: Sequence[str]) -> "Outcome":
        """The same of these cases, in their order."""
        place = {case: number for number, case in enumerate(self.cases)}
        rows = [place[case] for case in cases]
        return self._replace(
            values=self.values[:, rows],
            labels=self.labels[rows],
            lesion_sizes=self.lesion_sizes[:, rows] if self.kind == FROC else self.lesion_sizes,
            cases=list(cases),
            patients=[self.patients[row] for row in rows],
        )

    def joined(self, other: "Outcome") -> "Outcome":
        """The test cases of both: two folds of one cross-validation."""
        if (self.kind, self.targets) != (other.kind, other.targets):
            raise T3DError(f"folds were measured otherwise: {self.targets} and {other.targets}; run the study again")
        return self._replace(
            values=_beside(self.values, other.values),
            labels=np.concatenate([self.labels, other.labels]),
            lesion_sizes=_beside(self.lesion_sizes, other.lesion_sizes),
            cases=[*self.cases, *other.cases],
            patients=[*self.patients, *other.patients],
        )


def _beside(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(S, N, F) of the cases of both; NaN fills the slots that one of them has fewer."""
    slots = max(len(one), len(other))
    filled = [np.pad(part, ((0, slots - len(part)), (0, 0), (0, 0)), constant_values=np.nan) for part in (one, other)]
    return np.concatenate(filled, axis=1)


def measures(kind: str, rows: list[list], cases: list[str], patients: list[str], targets: list[str]) -> Outcome:
    """A measure of each case (N rows of F), None where there is none."""
    values = np.array([[[math.nan if value is None else value for value in row] for row in rows]], dtype=float)
    return Outcome(kind, values, np.full(values.shape[1:], np.nan), cases, patients, targets)


def write_outcomes(folder: Path, *outcomes: Outcome) -> None:
    """Write the outcomes of one cell, of different kinds, atomically; the same give the same bytes."""
    write_atomically({folder / FILE.format(number): _content(one) for number, one in enumerate(outcomes)})


def _content(outcome: Outcome) -> bytes:
    names = {key: getattr(outcome, key) for key in ("kind", "cases", "patients", "targets")}
    buffer = io.BytesIO()
    content: dict[str, Any] = {
        "values": outcome.values.astype(np.float64),
        "labels": outcome.labels.astype(np.float64),
        "names": np.frombuffer(json.dumps(names).encode(), dtype=np.uint8),
    }
    if outcome.kind == FROC:
        content["lesion_sizes"] = outcome.lesion_sizes.astype(np.float64)
    np.savez(buffer, **content)
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
            arrays = {key: content[key] for key in ("values", "labels", "lesion_sizes") if key in content}
            return Outcome(**arrays, **names)
    except (OSError, ValueError, KeyError) as error:
        raise T3DError(f"{file} is damaged; delete its folder and run the study again") from error
