import csv
import re

import pytest

from t3d.errors import T3DError
from t3d.reports.clean import clean_report
from t3d.reports.sections import select_sections
from t3d.reports.sentences import split_sentences

PLAIN = """CT CHEST WITH CONTRAST

HISTORY: Cough.
TECHNIQUE: 1.5 mm slices.

FINDINGS:
LUNGS: There is a 1.2 cm nodule, e.g. a granuloma, seen by
Dr. Smith before. No effusion.
LIVER: Normal.

IMPRESSION:
1. Right nodule.
2. No effusion."""


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


@pytest.fixture(scope="module")
def real_reports(shared_data) -> list[str]:
    file = shared_data / "text_mtsamples_radiology" / "mtsamples_radiology.csv"
    with open(file, newline="", encoding="utf-8") as rows:
        return [row["transcription"] for row in csv.DictReader(rows)]


@pytest.mark.parametrize(
    "raw, clean",
    [
        (
            "FINDINGS:  ,Duplex shows flow.,The left is normal.",
            "FINDINGS: Duplex shows flow.\nThe left is normal.",
        ),
        ("IMPRESSION:,1.  Clear.,2.  Normal.,", "IMPRESSION: 1. Clear.\n2. Normal."),
        ("Clear. , ,IMPRESSION:Normal.", "Clear.\nIMPRESSION:Normal."),
        ("Heart: Normal,Lung Base: Clear", "Heart: Normal\nLung Base: Clear"),
        ("a\x00b\tc\u00a0d  e\u200bf\r\n\r\n\r\n\r\ng", "a b c d ef\n\ng"),
        ("Dr. Smith, MD, saw 1,200 mL, i.e., much.", "Dr. Smith, MD, saw 1,200 mL, i.e., much."),
        ("Flow is normal.The left", "Flow is normal. The left"),
        (" ,;.\n", ""),
    ],
)
def test_cleaning_mends_what_exports_break(raw, clean):
    assert clean_report(raw) == clean
    assert clean_report(clean) == clean


def test_both_sections_or_one():
    text = clean_report(PLAIN)
    both = select_sections(text)
    assert both.startswith("LUNGS: There") and both.endswith("2. No effusion.")
    assert "HISTORY" not in both and "slices" not in both and "IMPRESSION" not in both
    assert select_sections(text, ["impression"]) == "1. Right nodule.\n2. No effusion."
    assert select_sections(text, "findings").endswith("LIVER: Normal.")


@pytest.mark.parametrize(
    "text, kept",
    [
        ("findings: Clear.\nimpression: Normal.", "Clear.\n\nNormal."),
        ("FINDINGS\nClear.\nIMPRESSION\nNormal.", "Clear.\n\nNormal."),
        ("Exam: CT. Findings: Clear. Conclusion: Normal.", "Clear.\n\nNormal."),
        ("HISTORY: Cough.\nFINDINGS AND IMPRESSION: Normal.", "Normal."),
        ("The lungs are clear.\nIMPRESSION: Normal.", "The lungs are clear.\n\nNormal."),
        ("CT CHEST\nIMPRESSION: Normal.", "Normal."),
        ("EXAM: CT.\nCT ABDOMEN: Clear.\nIMPRESSION: Normal.", "CT ABDOMEN: Clear.\n\nNormal."),
        ("FINDINGS: Seen. COMPARISON: None. All clear.", "Seen. COMPARISON: None. All clear."),
        ("The following findings: none. Clear.", "The following findings: none. Clear."),
        ("HISTORY: Cough. The lungs are clear.", "HISTORY: Cough. The lungs are clear."),
        ("FINDINGS:\nIMPRESSION:\n", "FINDINGS:\nIMPRESSION:\n"),
        (
            "FINDINGS: The patient has\nno relevant history\nof cancer.",
            "The patient has\nno relevant history\nof cancer.",
        ),
    ],
)
def test_headers_of_many_kinds(text, kept):
    assert select_sections(text) == kept


def test_wanted_section_without_text_gives_the_whole_report():
    assert select_sections("FINDINGS: Clear.", ["impression"]) == "FINDINGS: Clear."


@pytest.mark.parametrize("sections", ["finding", [], ["findings", "history"]])
def test_unknown_sections_are_refused(sections):
    with pytest.raises(T3DError, match="findings, impression"):
        select_sections("Clear.", sections)


def test_sentences_of_a_whole_report():
    assert split_sentences(select_sections(clean_report(PLAIN))) == [
        "LUNGS: There is a 1.2 cm nodule, e.g. a granuloma, seen by Dr. Smith before.",
        "No effusion.",
        "LIVER: Normal.",
        "1. Right nodule.",
        "2. No effusion.",
    ]


@pytest.mark.parametrize(
    "text, count",
    [
        ("Size 1.2 cm. Stable.", 2),
        ("Size is 3. Stable.", 2),
        ("No. 3 screw vs. Old one, approx. 5 mm.", 1),
        ("Seen by J. Doe. Grade I. Stable!", 3),
        ("Is it new? (Yes.) Good.", 3),
        ("no capital. here", 1),
        ("IMPRESSION: 1. Clear. 2) Normal.", 2),
        ("- clear\n- normal\n\nstable", 3),
        ("wrapped\nline.", 1),
        ("", 0),
        ("...", 1),
    ],
)
def test_where_sentences_end(text, count):
    sentences = split_sentences(text)
    assert len(sentences) == count
    assert words(" ".join(sentences)) == words(text)


def test_real_reports_keep_every_word(real_reports):
    assert len(real_reports) == 271
    for report in real_reports:
        assert words(" ".join(split_sentences(clean_report(report)))) == words(report)


def test_real_reports_keep_their_findings(real_reports):
    shares = []
    for report in real_reports:
        whole = clean_report(report)
        kept = select_sections(whole)
        assert split_sentences(kept)
        remaining = iter(words(whole))
        assert all(word in remaining for word in words(kept)), "kept words must be in the report's order"
        shares.append(len(words(kept)) / len(words(whole)))
        if not re.search(r"findings?|impressions?|conclusions?|interpretation|opinion|observation", whole, re.I):
            assert kept == whole
    # Most of a report is findings and impression; only operation notes and the like lose more than 3/4 of it.
    assert sum(share < 0.25 for share in shares) <= 12
    assert sum(shares) / len(shares) > 0.8


def test_real_reports_split_into_sentences_of_usual_length(real_reports):
    lengths = [len(words(s)) for report in real_reports for s in split_sentences(clean_report(report))]
    assert 8 < sum(lengths) / len(lengths) < 16
    assert sum(length > 60 for length in lengths) < 0.005 * len(lengths)
    assert sum(length < 2 for length in lengths) < 0.05 * len(lengths)


@pytest.mark.parametrize(
    "text",
    [
        "A 3 x 2.1 x 4 mm nodule vs. a 1.5 cm cyst, i.e. No. 3 of Dr. Smith's list.",
        "The aorta measures 3.2 cm (2.9 cm in 2019) at T12.",
        "Velocity 0.474 m/second, e.g. normal.",
    ],
)
def test_measurements_and_abbreviations_do_not_end_a_sentence(text):
    assert split_sentences(f"{text} No effusion.") == [text, "No effusion."]


def test_enumerations_are_one_sentence_each():
    text = "1. Mass of 2.5 cm.\n2. No effusion. 3) Clear lungs."
    assert split_sentences(text) == ["1. Mass of 2.5 cm.", "2. No effusion.", "3) Clear lungs."]
