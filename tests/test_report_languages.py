"""Made-up reports in the forms of many countries: findings and impression are found, history is left out."""

import pytest

from t3d.reports.clean import clean_report
from t3d.reports.sections import parse_sections, select_sections
from t3d.reports.sentences import split_sentences

# (report, sentences of findings and impression)
REPORTS = {
    "German": (
        "CT-Thorax mit KM vom 12.03.2024\n\nKlinische Angaben / Fragestellung:\nZ. n. Mammakarzinom. Metastasen?\n\n"
        "Technik:\nVenöse Phase, 1,25 mm.\n\nBefund:\nKein Pleuraerguss. Im Oberlappen 6 mm großer Herd (Bild 112)."
        "\nLeber: homogen.\n\nBeurteilung:\n1. 6 mm Rundherd, Kontrolle.\n2. Keine Metastasen.",
        [
            "Kein Pleuraerguss.",
            "Im Oberlappen 6 mm großer Herd (Bild 112).",
            "Leber: homogen.",
            "1. 6 mm Rundherd, Kontrolle.",
            "2. Keine Metastasen.",
        ],
    ),
    "German, one line": (
        "Indikation: Husten? Methode: Low-dose-CT. Befund: Keine Infiltrate. Zusammenfassende Beurteilung: Normal.",
        ["Keine Infiltrate.", "Normal."],
    ),
    "French": (
        "SCANNER THORACIQUE\n\nINDICATION :\nToux.\n\nTECHNIQUE :\nSans injection.\n\nRÉSULTAT :\nAbsence "
        "d'épanchement. Nodule de 8 mm.\n\nCONCLUSION :\nNodule. Contrôle à 3 mois.",
        ["Absence d'épanchement.", "Nodule de 8 mm.", "Nodule.", "Contrôle à 3 mois."],
    ),
    "French, other names": (
        "Renseignements cliniques : dyspnée.\nInterprétation :\nÉpanchement droit.\nAu total :\nÉpanchement.",
        ["Épanchement droit.", "Épanchement."],
    ),
    "French, report": (
        "Motif : douleur.\nCompte rendu :\nFoie normal.\nSynthèse :\nNormal.",
        ["Foie normal.", "Normal."],
    ),
    "Spanish": (
        "TC DE TÓRAX\n\nInformación clínica: Fumador.\nTécnica: TC helicoidal.\nHallazgos:\nNo se observan nódulos. "
        "Derrame leve.\nConclusión:\nDerrame.",
        ["No se observan nódulos.", "Derrame leve.", "Derrame."],
    ),
    "Spanish, report": (
        "MOTIVO DE CONSULTA: disnea.\nINFORME:\nPulmones claros.\nIMPRESIÓN DIAGNÓSTICA:\nNormal.",
        ["Pulmones claros.", "Normal."],
    ),
    "Spanish, one line": (
        "Datos clínicos: tos Descripción: Nódulo de 5 mm. Juicio diagnóstico: Benigno.",
        ["Nódulo de 5 mm.", "Benigno."],
    ),
    "Turkish": (
        "TORAKS BT\n\nKLİNİK BİLGİ: Öksürük.\nTeknik: Kontrastsız.\nBULGULAR:\nSağ üst lobda 6 mm nodül izlendi. "
        "Efüzyon yoktur.\nSONUÇ:\nNodül.",
        ["Sağ üst lobda 6 mm nodül izlendi.", "Efüzyon yoktur.", "Nodül."],
    ),
    "Turkish, other names": ("Tetkik: Toraks BT\nBulgu: Efüzyon yok.\nYorum: Normal.", ["Efüzyon yok.", "Normal."]),
    "Italian": (
        "TC TORACE\nQuesito clinico: tosse.\nTecnica: volumetrica.\nReferto:\nNon versamento. Nodulo di 7 mm.\n"
        "Conclusioni:\nNodulo.",
        ["Non versamento.", "Nodulo di 7 mm.", "Nodulo."],
    ),
    "Italian, other names": (
        "Notizie cliniche: dispnea\nReperti: Versamento.\nImpressione diagnostica: Pleurite.",
        ["Versamento.", "Pleurite."],
    ),
    "Portuguese": (
        "Indicação: tosse.\nTécnica: sem contraste.\nAchados:\nNódulo de 6 mm. Sem derrame.\nImpressão:\nNódulo.",
        ["Nódulo de 6 mm.", "Sem derrame.", "Nódulo."],
    ),
    "Portuguese, other names": (
        "Informações clínicas: dor.\nRelatório:\nSem derrame.\nOpinião:\nNormal.",
        ["Sem derrame.", "Normal."],
    ),
    "Dutch": (
        "Klinische gegevens: hoest.\nVraagstelling: maligniteit?\nTechniek: spiraal-CT.\nVerslag:\nGeen pleuravocht. "
        "Nodus van 6 mm.\nSamenvatting:\nNodus.",
        ["Geen pleuravocht.", "Nodus van 6 mm.", "Nodus."],
    ),
    "Polish": (
        "TK klatki piersiowej\nDane kliniczne: kaszel.\nTechnika badania: bez kontrastu.\nOpis badania:\nNie ma "
        "płynu. Guzek 6 mm.\nWnioski:\nGuzek.",
        ["Nie ma płynu.", "Guzek 6 mm.", "Guzek."],
    ),
    "Russian": (
        "Цель исследования: исключить пневмонию.\nМетодика: без контраста.\nОписание:\nОчаг 6 мм. Выпота нет.\n"
        "Выводы:\nОчаг.",
        ["Очаг 6 мм.", "Выпота нет.", "Очаг."],
    ),
    "Chinese": (
        "检查部位：胸部CT平扫\n临床诊断：咳嗽待查\n影像所见：\n右上肺见6mm结节。未见积液。\n影像诊断：\n1.结节，随访。\n2.余正常。",
        ["右上肺见6mm结节。", "未见积液。", "1.结节，随访。", "2.余正常。"],
    ),
    "Chinese, one line": ("临床病史：咳嗽。放射学表现：双肺清晰。放射学诊断：正常。", ["双肺清晰。", "正常。"]),
    "Japanese": (
        "検査目的：咳嗽精査\n撮影方法：単純CT\n読影所見：\n右上葉に6mmの結節。胸水なし。\n診断：\n結節。",
        ["右上葉に6mmの結節。", "胸水なし。", "結節。"],
    ),
    "Japanese, brackets": (
        "【臨床情報】咳\n【所見】\n結節なし。\n【インプレッション】\n異常なし。",
        ["結節なし。", "異常なし。"],
    ),
    "Korean": (
        "임상정보: 기침\n소견:\n우상엽에 6mm 결절. 흉수 없음.\n결론:\n결절.",
        ["우상엽에 6mm 결절.", "흉수 없음.", "결절."],
    ),
    "Swedish": (
        "Frågeställning: hosta?\nUtlåtande:\nIngen vätska.\nBedömning:\nNormal.",
        ["Ingen vätska.", "Normal."],
    ),
    "Danish": ("Indikation: hoste\nBeskrivelse:\nIngen væske.\nKonklusion:\nNormal.", ["Ingen væske.", "Normal."]),
}


def read(text: str) -> list[str]:
    return split_sentences(select_sections(clean_report(text)))


@pytest.mark.parametrize("language", REPORTS)
def test_findings_and_impression_are_found_and_history_is_not_read(language):
    text, sentences = REPORTS[language]
    assert read(text) == sentences
    names = [name for part in parse_sections(clean_report(text)) for name in part.names]
    assert names.count("findings") == names.count("impression") == 1


@pytest.mark.parametrize("language", REPORTS)
def test_nothing_is_lost_where_the_line_breaks_are(language):
    text, sentences = REPORTS[language]
    flat = "".join(read(" ".join(text.split()))).replace(" ", "")
    assert all(sentence.replace(" ", "") in flat for sentence in sentences)
