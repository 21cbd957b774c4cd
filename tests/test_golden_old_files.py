"""Checkpoints, models with their records, and stores of version 0.1 load, and give what they gave at 0.1."""

import json

import pytest

pytest.importorskip("blosc2")
from golden_old_files import OLD, describe, filled  # noqa: E402
from golden_runs import KINDS, STAGES, check  # noqa: E402


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stage", STAGES)
def test_given_weights(golden_cohorts, tmp_path, stage, kind):
    check("given_weights", stage, golden_cohorts, kind, tmp_path)


@pytest.mark.parametrize("stage", STAGES)
def test_resumed(golden_cohorts, tmp_path, stage):
    check("resumed", stage, golden_cohorts, "raw", tmp_path)


@pytest.mark.parametrize("stage", STAGES)
def test_store(golden_cohorts, tmp_path, stage):
    check("from_store", stage, golden_cohorts, "prepared", tmp_path)


@pytest.mark.parametrize("stage", STAGES)
def test_structures_describe_what_is_made_of_them(stage):
    structure = json.loads((OLD / f"{stage}_checkpoint.json").read_text())
    assert describe(filled(structure)) == structure
