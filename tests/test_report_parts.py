"""parse_sections on small reports of each style; the real ones are in test_report_golden.py."""

import pytest

from t3d.reports.clean import clean_report
from t3d.reports.sections import parse_sections


def parsed(text: str) -> list[tuple[str, str]]:
    text = clean_report(text)
    return [("+".join(part.names), text[part.start : part.end]) for part in parse_sections(text)]


def test_headings_on_lines_of_their_own():
    report = """CT CHEST WITH CONTRAST

CLINICAL HISTORY: Cough.
TECHNIQUE: 1.5 mm slices.
COMPARISON: None.
FINDINGS
LUNGS: Clear.
IMPRESSION
1. Normal."""
    assert parsed(report) == [
        ("exam", "CT CHEST WITH CONTRAST"),
        ("history", "Cough."),
        ("technique", "1.5 mm slices."),
        ("comparison", "None."),
        ("findings", "LUNGS: Clear."),
        ("impression", "1. Normal."),
    ]


def test_line_breaks_exported_as_commas():
    report = "EXAM:,CT of the chest,CLINICAL:,Pain on 8/10/05,FINDINGS:,Clear.,IMPRESSION,: NORMAL CT."
    assert parsed(report) == [
        ("exam", "CT of the chest"),
        ("history", "Pain on 8/10/05"),
        ("findings", "Clear."),
        ("impression", "NORMAL CT."),
    ]
    assert parsed("CT HEAD, AND CT NECK,REASON FOR EXAM: , Fall.,IMPRESSION: , Normal.") == [
        ("exam", "CT HEAD, AND CT NECK"),
        ("history", "Fall."),
        ("impression", "Normal."),
    ]


def test_free_text_has_no_sections():
    assert parsed("The lungs are clear. No effusion.") == [("", "The lungs are clear. No effusion.")]
    assert parsed("wrapped\nprose of\nthree lines.") == [("", "wrapped\nprose of\nthree lines.")]
    assert parsed("") == []


def test_findings_without_a_heading_need_an_impression():
    told = "The lungs are clear.\nIMPRESSION: Normal."
    assert parsed(told) == [("findings", "The lungs are clear."), ("impression", "Normal.")]
    labels = "EXAM: EMG.\nNEEDLE EMG: Normal activity.\nNERVE STUDIES: Normal.\n"
    assert parsed(labels + "IMPRESSION: Normal.")[1] == (
        "findings",
        "NEEDLE EMG: Normal activity.\nNERVE STUDIES: Normal.",
    )
    assert [name for name, _ in parsed(labels)] == ["exam", ""]


def test_results_in_capitals_are_findings_beside_others():
    report = "INTERPRETATION: Normal rate.\nSUMMARY: Fine.\nNUCLEAR RESULTS: Even uptake.\nIMPRESSION: Normal."
    assert [name for name, _ in parsed(report)] == ["findings", "impression", "findings", "impression"]


def test_interpretation_is_both_where_there_is_no_impression():
    assert parsed("EXAM: Echo.\nINTERPRETATION: Normal.")[1] == ("findings+impression", "Normal.")
    assert parsed("FINDINGS AND IMPRESSION: Normal.") == [("findings+impression", "Normal.")]


def test_plan_and_summary_close_what_was_told_and_open_nothing_alone():
    assert parsed("FINDINGS: Mass.\nSUMMARY: Mass.\nPLAN: Biopsy.")[1:] == [
        ("impression", "Mass."),
        ("impression", "Biopsy."),
    ]
    assert parsed("HISTORY: Pain.\nPLAN: Rest.") == [("history", "Pain."), ("", "PLAN: Rest.")]


@pytest.mark.parametrize(
    ("text", "name"),
    [("Coronary angiogram.", "exam"), ("A catheter was advanced into the aorta.", "technique")],
)
def test_a_procedure_is_named_or_told(text, name):
    assert parsed(f"PROCEDURE: {text}\nIMPRESSION: Normal.")[0] == (name, text)


def test_in_a_clinic_note_exam_is_the_physical_examination():
    report = "CC: Headache.\nHX: Since May.\nEXAM: Alert.\nCOURSE: An MRI was normal.\nIMPRESSION: Migraine."
    assert parsed(report) == [
        ("history", "Headache."),
        ("history", "Since May."),
        ("", "Alert."),
        ("", "COURSE: An MRI was normal."),
        ("impression", "Migraine."),
    ]


def test_medication_and_complications_have_no_section():
    report = "FINDINGS: Clear.\nCOMPLICATIONS: None.\nMAMMOGRAPHY INFORMATION: Some cancers are missed."
    assert [name for name, _ in parsed(report)] == ["findings", "", ""]


def test_a_header_inside_a_line_of_results_stays_there():
    assert parsed("FINDINGS: Seen. COMPARISON: None. All clear.") == [
        ("findings", "Seen. COMPARISON: None. All clear.")
    ]
