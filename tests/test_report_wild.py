"""Reports as exports leave them: every form reads as the same report with its line breaks in place."""

import csv
import json

import pytest

from t3d.errors import T3DError
from t3d.reports.clean import clean_report
from t3d.reports.command import reports
from t3d.reports.sections import select_sections
from t3d.reports.sentences import split_sentences
from t3d.reports.tokens import ReportTokenizer

WANT = ["The lungs are clear.", "No pleural effusion.", "Normal chest CT."]
H, (F1, F2, END) = "Cough for one week.", WANT
FORMS = {
    "markdown": f"## History\n{H}\n\n## Findings\n{F1} {F2}\n\n## Impression\n{END}",
    "markdown, bold with colons": f"### **History:**\n{H}\n### **Findings:**\n{F1} {F2}\n### **Impression:**\n{END}",
    "bold": f"**History:** {H}\n**Findings:** {F1} {F2}\n**Impression:** {END}",
    "bold without colons": f"**HISTORY** {H}\n**FINDINGS** {F1} {F2}\n**IMPRESSION** {END}",
    "markdown on one line": f"## History {H} ## Findings {F1} {F2} ## Impression {END}",
    "brackets": f"[HISTORY]\n{H}\n[FINDINGS]\n{F1} {F2}\n[IMPRESSION]\n{END}",
    "brackets on one line": f"[HISTORY] {H} [FINDINGS] {F1} {F2} [IMPRESSION] {END}",
    "brackets and colons": f"[History]: {H}\n[Findings]: {F1} {F2}\n[Impression]: {END}",
    "dashes": f"--- HISTORY ---\n{H}\n--- FINDINGS ---\n{F1}\n{F2}\n--- IMPRESSION ---\n{END}",
    "dashes on one line": f"--- HISTORY --- {H} --- FINDINGS --- {F1} {F2} --- IMPRESSION --- {END}",
    "equal signs": f"=== HISTORY ===\n{H}\n=== FINDINGS ===\n{F1} {F2}\n=== IMPRESSION ===\n{END}",
    "stars": f"*** HISTORY ***\n{H}\n*** FINDINGS ***\n{F1} {F2}\n*** IMPRESSION ***\n{END}",
    "numbers": f"1. HISTORY: {H}\n2. FINDINGS: {F1} {F2}\n3. IMPRESSION: {END}",
    "numbers, title case": f"1) History\n{H}\n2) Findings\n{F1} {F2}\n3) Impression\n{END}",
    "Roman numbers": f"I. HISTORY: {H}\nII. FINDINGS: {F1} {F2}\nIII. IMPRESSION: {END}",
    "numbers on one line": f"1. HISTORY: {H} 2. FINDINGS: {F1} {F2} 3. IMPRESSION: {END}",
    "hyphens as bullets": f"- HISTORY: {H}\n- FINDINGS: {F1} {F2}\n- IMPRESSION: {END}",
    "bullets": f"• History: {H}\n• Findings: {F1} {F2}\n• Impression: {END}",
    "underlined": f"History\n=======\n{H}\n\nFindings\n--------\n{F1} {F2}\n\nImpression\n----------\n{END}",
    "underlined after a colon": f"HISTORY:\n--------\n{H}\n\nFINDINGS:\n--------\n"
    f"{F1} {F2}\n\nIMPRESSION:\n--------\n{END}",
    "a dash for the colon": f"HISTORY - {H}\nFINDINGS - {F1} {F2}\nIMPRESSION - {END}",
    "two dashes for the colon": f"HISTORY -- {H}\nFINDINGS -- {F1} {F2}\nIMPRESSION -- {END}",
    "dashes before": f"-- HISTORY\n{H}\n-- FINDINGS\n{F1} {F2}\n-- IMPRESSION\n{END}",
    "Report and Conclusion": f"Clinical history: {H}\nReport: {F1} {F2}\nConclusion: {END}",
    "Report and Opinion": f"Clinical history: {H}\nReport:\n{F1} {F2}\nOpinion: {END}",
    "sentence case without colons": f"Clinical history\n{H}\n\nReport\n{F1} {F2}\n\nConclusion\n{END}",
    "Report on one line": f"Clinical details: {H} Report: {F1} {F2} Opinion: {END}",
    "tags named as the sections": f"<HISTORY>{H}</HISTORY>"
    f"<FINDINGS>{F1} {F2}</FINDINGS><IMPRESSION>{END}</IMPRESSION>",
    "HTML": f"<html><body><h2>History</h2><p>{H}</p><h2>Findings</h2><p>"
    f"{F1}&nbsp;{F2}</p><h2>Impression</h2><p>{END}</p></body></html>",
    "HTML, bold headings": f"<div><b>HISTORY:</b> {H}</div><div><b>FINDINGS:</b> "
    f"{F1} {F2}</div><div><strong>IMPRESSION</strong> {END}</div>",
    "escaped HTML": f"&lt;p&gt;HISTORY: {H}&lt;/p&gt;&lt;p&gt;FINDINGS: "
    f"{F1} {F2}&lt;/p&gt;&lt;p&gt;IMPRESSION: {END}&lt;/p&gt;",
    "entities for line breaks": f"HISTORY: {H}&#13;&#10;FINDINGS: {F1} {F2}&#xD;&#xA;IMPRESSION: {END}",
    "HL7": f"HISTORY: {H}\\.br\\FINDINGS: {F1} {F2}\\.br\\IMPRESSION: {END}",
    "backslashes doubled": f"HISTORY: {H}\\\\nFINDINGS: {F1} {F2}\\\\nIMPRESSION: {END}",
    "separators of Unicode and Word": f"HISTORY: {H}\u2028FINDINGS: {F1} {F2}\x0bIMPRESSION: {END}",
    "FINAL REPORT on one line": f"FINAL REPORT HISTORY: Cough FINDINGS: {F1} {F2} IMPRESSION: {END}",
    "a title on one line": f"CT CHEST WITHOUT CONTRAST INDICATION: Cough TECHNIQUE: Axial images COMPARISON: None. "
    f"FINDINGS: {F1} {F2} IMPRESSION: {END}",
    "capitals before a heading": f"EXAM: CT CHEST CLINICAL HISTORY: Cough FINDINGS: {F1} {F2} IMPRESSION: {END}",
    "one line without colons": f"HISTORY Cough. FINDINGS {F1} {F2} IMPRESSION {END}",
    "title case on one line": f"Reason for exam: cough Findings: {F1} {F2} Impression: {END}",
    "wrapped elsewhere": f"HISTORY: Cough FINDINGS: The lungs\nare clear. {F2} IMPRESSION: Normal\nchest CT.",
    "full-width colons": f"HISTORY：{H}\nFINDINGS：{F1} {F2}\nIMPRESSION：{END}",
    "full-width colons on one line": f"HISTORY：Cough FINDINGS：{F1} {F2} IMPRESSION：{END}",
}
LINES = ["HISTORY: " + H, "FINDINGS:", F1, F2, "IMPRESSION:", END]
BREAKS = {
    "Excel": "_x000D_\n",
    "Excel without the break": "_x000D_",
    "backslash n": "\\n",
    "backslash r backslash n": "\\r\\n",
    "br": "<br>",
    "br and a line break": "<br/>\n",
    "br escaped": "&lt;br /&gt;",
    "carriage return": "\r",
}


def read(text: str) -> list[str]:
    return split_sentences(select_sections(clean_report(text)))


@pytest.mark.parametrize("form", FORMS)
def test_headings_of_every_form_are_found(form):
    assert read(FORMS[form]) == WANT


@pytest.mark.parametrize("form", BREAKS)
def test_line_breaks_of_every_form_are_found(form):
    assert read(BREAKS[form].join(LINES)) == WANT


@pytest.mark.parametrize("text", [*FORMS.values(), *(sign.join(LINES) for sign in BREAKS.values())])
def test_cleaning_twice_changes_nothing(text):
    once = clean_report(text)
    assert clean_report(once) == once


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (
            "CT CHEST\nADDENDUM: A rib fracture.\n\nFINDINGS: Clear.\nIMPRESSION: Normal.",
            ["A rib fracture.", "Clear.", "Normal."],
        ),
        ("FINDINGS: Clear.\nIMPRESSION: Normal.\nADDENDUM: Late.", ["Clear.", "Normal.", "Late."]),
        ("REPORT: CT\nFINDINGS: Clear.\nIMPRESSION: Normal.", ["Clear.", "Normal."]),
        (
            "Clinical history: Cough.\nCT thorax:\nClear. Normal.\nOpinion: None.",
            ["CT thorax: Clear.", "Normal.", "None."],
        ),
        ("IMPRESSION: Normal. TECHNIQUE: CT. FINDINGS: Clear. Dry.", ["Normal.", "Clear.", "Dry."]),
        ("FINDINGS: Seen. COMPARISON: None. All clear.", ["Seen.", "COMPARISON: None.", "All clear."]),
        ("FINDINGS:\n1. Mass.\n2. Symptoms: None.\nIMPRESSION: Mass.", ["1. Mass.", "2. Symptoms: None.", "Mass."]),
        ("FINDINGS AND IMPRESSION: Clear.", ["Clear."]),
        (
            "INDICATIONS: Pain. STRESS ECG RESULTS: No ischemia. CONCLUSIONS: Normal.",
            ["STRESS ECG RESULTS: No ischemia.", "Normal."],
        ),
        ("EXAM: CT TYPE OF STUDY: CT FINDINGS AND IMPRESSION: Clear.", ["Clear."]),
    ],
)
def test_which_heading_counts(text, sentences):
    assert read(text) == sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (
            "检查所见：双肺清晰。大小约3.5cm×2.1cm。诊断意见：未见异常。",
            ["双肺清晰。", "大小约3.5cm×2.1cm。", "未见异常。"],
        ),
        ("临床病史：咳嗽。检查所见：双肺清晰.无结节.影像诊断：正常。", ["双肺清晰.", "无结节.", "正常。"]),
        ("所見：異常なし。胸水なし。\n診断：正常。", ["異常なし。", "胸水なし。", "正常。"]),
        ("臨床情報：咳。【所見】肺に１．２ｃｍの結節。【診断】結節。", ["肺に１．２ｃｍの結節。", "結節。"]),
        ("双肺清晰。\n诊断意见：正常。", ["双肺清晰。", "正常。"]),
        (
            "Klinische Angaben: Husten. Befund: Keine Metastase. Übrige Organe normal. Beurteilung: Unauffällig.",
            ["Keine Metastase.", "Übrige Organe normal.", "Unauffällig."],
        ),
        (
            "INDICATION : Toux.\nRÉSULTATS : Pas de nodule. Épanchement absent.\nCONCLUSION : Normal.",
            ["Pas de nodule.", "Épanchement absent.", "Normal."],
        ),
        ("Indicación: tos Hallazgos: Pulmones claros. Impresión: Normal.", ["Pulmones claros.", "Normal."]),
        ("Klinik bilgi: öksürük Bulgular: Nodül yok. Sonuç: Normal.", ["Nodül yok.", "Normal."]),
        ("АНАМНЕЗ: кашель\nОПИСАНИЕ: Лёгкие чистые.\nЗАКЛЮЧЕНИЕ: Норма.", ["Лёгкие чистые.", "Норма."]),
    ],
)
def test_reports_in_other_languages(text, sentences):
    assert read(text) == sentences


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Keine Raumforderung. Übrige Organe normal. Ödem nicht sichtbar.", 3),
        ("Akciğerler doğal. İki taraflı efüzyon yok. Şüpheli nodül izlenmedi.", 3),
        ("Pulmones claros. ¿Nódulo? No. ¡Órganos normales!", 4),
        ("Pas de nodule. « Épanchement » absent. À suivre.", 3),
        ("Органы без изменений. Размер 1,2 см. Выпота нет.", 3),
        ("Fraktur der 5. Rippe. V. a. Metastase, z. B. Lunge. Am 3. Mai operiert.", 3),
        ("结节３．５ｃｍ。未见异常！", 2),
        ("لا توجد عقدة. الرئتان صافيتان.", 2),
    ],
)
def test_sentences_of_other_alphabets(text, count):
    sentences = split_sentences(text)
    assert len(sentences) == count and "".join(sentences).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Size <5 mm and >3 mm.", "Size <5 mm and >3 mm."),
        ("The left\\right lung, artery\\nerve.", "The left\\right lung, artery\\nerve."),
        ("p&lt;0.05, 5&nbsp;cm<sup>2</sup>, R&amp;D, AT&T", "p<0.05, 5 cm2, R&D, AT&T"),
        ("Normal.Übrige Organe", "Normal. Übrige Organe"),
    ],
)
def test_what_is_no_markup_stays(text, clean):
    assert clean_report(text) == clean


@pytest.mark.parametrize(
    "sign", ["-", "* ", "[", "<", "<!--", "\\", "\\n", ".", "FINDINGS: ", "1. ", "AB CD ", "- - -\n"]
)
def test_a_long_run_of_one_sign_ends(sign):
    text = clean_report(sign * 5000)
    assert isinstance(split_sentences(select_sections(text)), list)


@pytest.mark.parametrize(
    "text", ["{\\rtf1\\ansi\\deff0 FINDINGS: clear\\par}", "FINDINGS:\n {\\rtf1 clear}", "\ufeff%PDF-1.4 x"]
)
def test_files_of_word_processors_are_refused(text, tmp_path):
    reader = object.__new__(ReportTokenizer)
    with pytest.raises(T3DError, match=r"^case k0: report is .*, not plain text; convert it.* into the datalist\.$"):
        reader.sentences(text, "k0")
    file = tmp_path / "datalist.json"
    file.write_text(json.dumps({"training": [{"case_id": "k0", "report": text}]}))
    with pytest.raises(T3DError, match=r"^datalist.json: case k0: report is .*, not plain text; convert it"):
        reports(str(file))


def test_real_reports_on_one_line_read_as_before(shared_data):
    """Their line breaks lost, 249 of 271; the others are clinic notes and operations for the most part."""
    with open(shared_data / "text_mtsamples_radiology" / "mtsamples_radiology.csv", encoding="utf-8") as file:
        texts = [clean_report(row["transcription"]) for row in csv.DictReader(file)]
    flat = [clean_report(" ".join(text.split())) for text in texts]
    same = [
        select_sections(one).split() == select_sections(text).split() for one, text in zip(flat, texts, strict=True)
    ]
    assert sum(same) >= 249
