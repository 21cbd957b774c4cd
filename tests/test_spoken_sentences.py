"""Which sentences a report has, each once, and which of them are asked."""

import pytest
from tiny_text import REPORTS

from t3d.errors import T3DError
from t3d.reports.clean import clean_report
from t3d.reports.spoken_sentences import spoken_sentences


def spoken(text, *ask):
    return [tuple(sentence) for sentence in spoken_sentences(clean_report(text), ask or ("impression",))]


def asked(text, *ask):
    return [sentence for sentence, wanted in spoken(text, *ask) if wanted]


def test_all_is_said_and_the_impression_is_asked():
    assert spoken(REPORTS[2]) == [
        ("There is a left pleural effusion.", False),
        ("The liver is normal.", False),
        ("The heart is enlarged, e.g. 16 cm.", False),
        ("Left pleural effusion.", True),
        ("Enlarged heart.", True),
    ]


def test_the_sections_that_are_asked_are_chosen():
    assert asked(REPORTS[1], "findings") == ["The lungs are clear.", "The liver is normal.", "No pleural effusion."]
    assert asked(REPORTS[1], "Findings", "impression")[-1] == "Normal exam."
    with pytest.raises(T3DError, match="technique"):
        spoken("Clear.", "technique")


def test_a_sentence_that_is_repeated_is_one_and_asked():
    found = spoken("FINDINGS: No effusion. Liver cyst. IMPRESSION: 1. Liver cyst. 2. No effusion.")
    assert found == [("No effusion.", True), ("Liver cyst.", True)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("FINDINGS: Liver cyst. No effusion.", ["Liver cyst.", "No effusion."]),
        ("Liver cyst. No effusion.", ["Liver cyst.", "No effusion."]),
        ("Liver cyst.", ["Liver cyst."]),
        ("FINDINGS: Liver cyst.\nIMPRESSION:\n", ["Liver cyst."]),
        ("TECHNIQUE: CT without contrast.\nFINDINGS: Liver cyst.\nIMPRESSION: Cyst.", ["Cyst."]),
    ],
    ids=["findings", "no heading", "one sentence", "empty impression", "technique is not said"],
)
def test_without_an_impression_the_findings_are_asked_and_without_headings_all(text, wanted):
    assert asked(text) == wanted
    assert "CT without contrast." not in [sentence for sentence, _ in spoken(text)]


def test_comparisons_are_said_and_never_asked():
    text = "FINDINGS: Liver cyst. IMPRESSION: Nodule in the lung. Effusion is unchanged since the prior CT."
    assert spoken(text)[-1] == ("Effusion is unchanged since the prior CT.", False)
    assert asked(text) == ["Nodule in the lung."]
    # an impression of nothing else has the findings asked; a report of nothing else has none
    assert asked("FINDINGS: Liver cyst. IMPRESSION: Unchanged since the prior CT.") == ["Liver cyst."]
    assert asked("IMPRESSION: Unchanged since the prior CT.") == []


@pytest.mark.parametrize("text", ["1. 2. 3.", "--- *** ---", "12.5"])
def test_numbers_and_dashes_are_no_sentences(text):
    assert spoken(text) == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "Befund: Keine Pleuraergüsse. Leberzyste.\nBeurteilung: 1. Rundherd im Oberlappen.",
            ["Rundherd im Oberlappen."],
        ),
        ("Hallazgos: Hígado normal.\nImpresión: Nódulo pulmonar.", ["Nódulo pulmonar."]),
        ("所见：双肺清晰。肝脏正常。\n印象：右肺结节。", ["右肺结节。"]),
    ],
)
def test_other_languages(text, wanted):
    assert asked(text) == wanted and len(spoken(text)) > len(wanted)
