"""The report says what the study holds, no more and no less."""

import re

import numpy as np
import pytest

from t3d.phantoms.plan import plan_case
from t3d.phantoms.study import FINDINGS
from t3d.phantoms.torso import HALF_WIDTH

WORDS = {  # what IMPRESSION says of each finding
    "lung_nodule": r"nodule|mass",
    "pleural_effusion": r"pleural effusion",
    "consolidation": r"consolidation",
    "emphysema": r"emphysema",
    "cardiomegaly": r"cardiomegaly",
    "pericardial_effusion": r"pericardial effusion",
    "aortic_aneurysm": r"aneurysm",
    "aortic_calcification": r"aortic calcification",
    "liver_lesion": r"lesion of the (left|right) hepatic lobe|liver lesions",
    "hepatic_steatosis": r"steatosis",
    "splenomegaly": r"splenomegaly",
    "kidney_stone": r"renal calcul",
    "kidney_cyst": r"renal cyst",
}


@pytest.fixture(scope="module")
def cases():
    return [plan_case(1, index) for index in range(120)]


def sections(case):
    findings, impression = case.report.split("\nIMPRESSION:\n")
    return findings.removeprefix("FINDINGS:\n"), impression


def lengths(text):
    """Every length of a text in mm."""
    return [
        float(number) * (10 if unit == "cm" else 1) for number, unit in re.findall(r"(\d+(?:\.\d)?) (mm|cm)\b", text)
    ]


@pytest.mark.parametrize("finding", FINDINGS)
def test_impression_names_exactly_the_findings(cases, finding):
    named = [bool(re.search(WORDS[finding], sections(case)[1], re.IGNORECASE)) for case in cases]
    assert named == [bool(case.study.findings[finding]) for case in cases]
    assert any(named) and not all(named)


@pytest.mark.parametrize("finding", ["lung_nodule", "liver_lesion", "kidney_stone", "kidney_cyst", "consolidation"])
def test_every_lesion_is_measured_and_placed(cases, finding):
    for case in cases:
        text = sections(case)[0].lower()
        for lesion in case.study.of(finding):
            assert min(abs(mm - lesion.size_mm) for mm in lengths(text)) <= 0.5 + 1e-6
            assert lesion.place in text and lesion.side in text


def test_sizes_of_organs_are_those_of_the_anatomy(cases):
    for case in cases:
        anatomy, text = case.study.anatomy, sections(case)[0]
        ratio = float(re.search(r"cardiothoracic ratio (?:of |is )?(0\.\d\d)", text).group(1))
        assert np.isclose(ratio, anatomy.heart_width / (2 * HALF_WIDTH), atol=0.0051)
        assert (ratio > 0.5) == bool(case.study.findings["cardiomegaly"])
        for size in (anatomy.liver_length, anatomy.spleen_length, *anatomy.kidney_length):
            assert min(abs(mm - size * anatomy.frame[2]) for mm in lengths(text)) <= 0.5 + 1e-6
        assert ("non-contrast" in text.lower() or "without intravenous" in text) != case.study.contrast


def test_normal_cases_are_called_normal_and_others_are_not(cases):
    for case in cases:
        impression = sections(case)[1]
        calm = bool(re.match(r"(No |Normal )", impression))
        assert calm == (not any(case.study.findings.values()))
        numbered = re.findall(r"^(\d+)\. ", impression, re.MULTILINE)
        expected = sum(case.study.findings.values())
        assert numbered == [str(n) for n in range(1, expected + 1)] or expected <= 1 and not numbered


def test_wording_varies(cases):
    sentences = {part.strip() for case in cases for part in re.split(r"(?<=\.) ", sections(case)[0])}
    for topic in ("pleural effusion", "pericardial", "steatosis", "nodule", "aorta"):
        assert len({re.sub(r"[\d.]+", "#", one) for one in sentences if topic in one.lower()}) >= 4
    assert sum("No " in case.report for case in cases) > 100


def test_sentences_are_well_formed(cases):
    for case in cases:
        findings, impression = sections(case)
        assert not re.search(r"  |\.\.| ,|\bNone\b|\bnan\b|_|\s$", findings + impression)
        for sentence in re.split(r"(?<=[a-z)]\.) ", findings):
            assert sentence[0].isupper() or sentence[0].isdigit()
            assert sentence.endswith(".")
