"""Trainings, their models' predictions and metrics are what they were at version 0.1 (see ``golden_runs``)."""

import pytest

pytest.importorskip("blosc2")
from golden_runs import KINDS, STAGES, check  # noqa: E402


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stage", STAGES)
def test_trained(golden_cohorts, tmp_path, stage, kind):
    check("trained", stage, golden_cohorts, kind, tmp_path)
