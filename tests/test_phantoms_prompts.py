"""The prompts that a cohort brings are sentences of its impressions, each of the finding it stands for."""

import re

import pytest

from t3d.phantoms import phantoms
from t3d.phantoms.cohort import PROMPTS
from t3d.phantoms.plan import plan_case
from t3d.phantoms.study import FINDINGS
from t3d.reports.prompts import read_prompts


def without_numbers(sentence):
    return re.sub(r"\d+(\.\d+)?", "#", re.sub(r"^\d+\. ", "", sentence))


@pytest.fixture(scope="module")
def said():
    """A sentence of an impression without its numbers -> the findings of every study that says it."""
    found = {}
    for number in range(1500):
        case = plan_case(0, number, noise=None, wordings=1, findings=FINDINGS)
        present = {name for name, state in case.study.findings.items() if state}
        for line in case.report.split("IMPRESSION:\n")[1].splitlines():
            found.setdefault(without_numbers(line), []).append(present)
    return found


def test_every_finding_has_prompts_that_impressions_say_of_it_alone(said):
    pairs = read_prompts(PROMPTS)
    assert tuple(pairs) == FINDINGS
    for name, pair in pairs.items():
        for sentence in pair.positive:
            assert all(name in present for present in said[without_numbers(sentence)]), sentence
        for sentence in pair.negative:
            assert not any(said[sentence]), sentence


def test_a_cohort_brings_the_prompts_of_its_findings(tmp_path):
    phantoms(tmp_path / "some", cases=2, shape=32, montage=False, findings=["splenomegaly", "cardiomegaly"])
    pairs = read_prompts(tmp_path / "some" / "prompts.json")
    assert list(pairs) == ["cardiomegaly", "splenomegaly"]
    assert pairs["splenomegaly"] == read_prompts(PROMPTS)["splenomegaly"]
