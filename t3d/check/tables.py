"""What the cases of a cohort have in common, as tables whose size does not grow with the cohort."""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from t3d.check.case import CaseFacts

QUANTILES = (0, 5, 50, 95, 100)


class Tables:
    """Sizes, spacings, orientations, HU, label values and findings; a few numbers are kept per case.

    Args:
        size: number of cases.
    """

    def __init__(self, size: int) -> None:
        self.grids = np.full((size, 6), np.nan, np.float32)  # voxels and mm along the patient's R, A and S axes
        self.values = np.full((size, 4), np.nan, np.float32)
        self.orientations: Counter[str] = Counter()
        self.labels: dict[int, Counter[str]] = defaultdict(Counter)
        self.findings: dict[str, dict[str, list[int]]] = {}
        self.labelled: Counter[str] = Counter()

    def add(self, number: int, split: str, facts: CaseFacts) -> None:
        """Take a case's image and label."""
        shape, spacing, marks = facts.shape, facts.spacing, facts.orientation
        if shape is not None and spacing is not None and marks is not None and "None" not in marks:
            order = ["LR", "PA", "IS"]
            axes = [next(k for k, mark in enumerate(marks) if mark in pair) for pair in order]
            self.grids[number] = [*(shape[k] for k in axes), *(spacing[k] for k in axes)]
            self.orientations[marks] += 1
        if facts.quantiles is not None:
            self.values[number] = facts.quantiles
        for value in facts.label_values:
            self.labels[value][split] += 1
        self.labelled[split] += bool(facts.label_values)

    def add_findings(self, split: str, findings: Any) -> list[str]:
        """Take a case's findings; returns what is wrong with them."""
        if findings is None:
            return []
        if not isinstance(findings, Mapping):
            return [f'are a {type(findings).__name__}; make them an object {{"name": 0, 1 or null}}']
        faults = []
        for name, value in findings.items():
            place = _state(value)
            if place is None:
                faults.append(f"{name} is {_shown(value)}; use 0, 1, or null for unknown")
            else:
                self.findings.setdefault(name, {}).setdefault(split, [0, 0, 0])[place] += 1
        return faults

    def one_sided(self) -> list[str]:
        """Findings of which the training list shows one class only."""
        said = []
        for name, splits in self.findings.items():
            absent, present, _ = splits.get("training", [0, 0, 0])
            if "training" in splits and not (absent and present):
                kind = "present" if present else "absent" if absent else "unknown"
                said.append(
                    f"finding {name} is {kind} in all of training; it cannot be learnt, leave it out or add cases"
                )
        return said

    def as_dict(self) -> dict[str, Any]:
        """For JSON and for the text."""
        axes = ("right_left", "front_back", "head_foot")
        states = ("absent", "present", "unknown")
        return {
            "orientations": dict(self.orientations.most_common()),
            "voxels": {name: _quantiles(self.grids[:, k]) for k, name in enumerate(axes)},
            "spacing_mm": {name: _quantiles(self.grids[:, 3 + k]) for k, name in enumerate(axes)},
            "hu": {
                name: _quantiles(self.values[:, k])
                for k, name in enumerate(("lowest", "median", "percentile_99.9", "highest"))
            },
            "label_values": {str(value): dict(self.labels[value]) for value in sorted(self.labels)},
            "findings": {
                name: {split: dict(zip(states, counts, strict=True)) for split, counts in splits.items()}
                for name, splits in sorted(self.findings.items())
            },
        }  # fmt: skip


def _quantiles(values: np.ndarray) -> list[float] | None:
    """Smallest, 5 %, median, 95 % and largest."""
    values = values[np.isfinite(values)]
    return [round(float(v), 3) for v in np.percentile(values, QUANTILES)] if values.size else None


def _state(value: Any) -> int | None:
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return 2
    if isinstance(value, int | float) and value in (0, 1, -1):
        return {0: 0, 1: 1, -1: 2}[int(value)]
    return None


def _shown(value: Any) -> str:
    # a cell may hold a sentence of the report
    return repr(value) if isinstance(value, int | float) else f"a {type(value).__name__}"
