"""What the headings of radiology reports are called, and which kind of section each opens."""

_EXAM = r"exam|examination|stud(?:y|ies)|test"
_OWN = r"clinical|medical|patient(?:'s)?|past|surgical|relevant|family|social|brief|present|oncolog\w{1,5}"

# Regular expressions in lower case, collected by hand from public sample reports, common templates and cohorts in
# other languages (ours). Any other "Label:" stays in the text of its section. The order decides between patterns that
# both match. NAMES are so distinct that a report whose line breaks are lost is cut at them; LOOSE ones need to begin a
# line or a sentence.
NAMES = {
    "both": (r"findings? ?(?:and|/|&) ?impressions?", r"narrative ?(?:and|/|&) ?impressions?"),
    "findings": (
        r"findings?",
        r"(?:technique|procedure) and (?:findings?|interpretation)",
        r"observations?",
        r"(?:ct-?|bild-?)?befunde?",  # German
        r"hallazgos(?: radiol[oó]gicos)?|achados|repert[io]|referto",  # Spanish, Portuguese, Italian
        r"r[eé]sultats?|constatations|compte[ -]rendu",  # French
        r"bulgu(?:lar)?",  # Turkish
        r"bevindingen|verslag",  # Dutch
        r"(?:описание|протокол|данные)(?: исследования)?",  # Russian
        r"opis(?: badania)?|wynik(?: badania)?",  # Polish
        r"utlåtande|fynd|beskrivelse|funn",  # Swedish, Danish, Norwegian
        r"(?:영상|판독|검사)? ?소견",  # Korean
    ),
    # the findings of a report that has no heading of that name
    "report": (r"(?:radiology |imaging |ct )?report", r"narrative"),
    "addendum": (r"addend(?:um|a)(?: ?#? ?\d)?",),
    "impression": (
        r"(?:final |overall |clinical )?impressions?",
        r"conclusions?",
        r"opinion",
        r"impressions? ?(?:and|/|&) ?(?:plan|recommendations?|conclusions?)",
        r"(?:gesamt|zusammenfassende )?beurteilung|zusammenfassung(?: und beurteilung)?|fazit",
        r"impresi[oó]n(?: diagn[oó]stica)?|conclusi[oó]n(?:es)?|impress[aã]o(?: diagn[oó]stica)?"
        r"|conclus(?:[aã]o|[oõ]es)|conclusion[ei]|conclusies?|impresi[oó]n radiol[oó]gica|juicio diagn[oó]stico"
        r"|impressione(?: diagnostica)?|giudizio diagnostico|opini[aã]o",
        r"synthèse|au total|en résumé|samenvatting|beoordeling",
        r"sonuç(?:lar)?|izlenim|değerlendirme|yorum",
        r"заключение|выводы?|wnioski|wniosek|podsumowanie",
        r"bedömning|sammanfattning|konklus[ij]on|vurdering",
        r"결론|판독 ?결과|(?:영상 ?)?진단",
    ),
    "technique": (
        r"(?:imaging |image |stress |ct |scan(?:ning)? )?techniques?(?: of procedure)?",
        r"t[eé]cnica|tecnica(?: d'esame)?|technik|untersuchungstechnik|methode|techniek|teknik|technika(?: badania)?",
        r"методика(?: исследования)?|검사 ?(?:방법|기법)",
    ),
    "comparison": (
        rf"comparisons?(?: (?:{_EXAM}))?",
        r"vergleich(?:suntersuchung)?|voruntersuchung(?:en)?|compara(?:ci[oó]n|[cç][aã]o)|comparaison|confronto"
        r"|karşılaştırma|vergelijking|porównanie|сравнение|jämförelse|sammenligning|비교",
    ),
    "history": (
        rf"(?:(?:{_OWN}) ){{0,3}}(?:history(?: of present illness)?|hx)",
        rf"(?:clinical |pertinent |brief )?indications?(?: for (?:the )?(?:{_EXAM}|procedure))?",
        r"clinical (?:information|data|details|question|context|background|notes?|presentation)",
        r"klinische (?:angaben|fragestellung|informationen)(?: ?(?:/|und) ?(?:fragestellung|indikation))?|klinik"
        r"|fragestellung|(?:rechtfertigende )?indikation|anamnese",
        r"datos cl[ií]nicos|informaci[oó]n cl[ií]nica|indicaci[oó]n|antecedentes|motivo(?: del? \w+)?"
        r"|indica[cç][aã]o(?: cl[ií]nica)?|quesito(?: clinico)?|notizie cliniche|anamnesi|indicazion[ei]"
        r"|informa[cç](?:[aã]o|[oõ]es) cl[ií]nicas?|hist[oó]ria cl[ií]nica|dados cl[ií]nicos",
        r"renseignements cliniques|ant[eé]c[eé]dents|contexte clinique|motif(?: de l'examen| de consultation)?",
        r"klinik (?:bilgi(?:ler)?|öykü)|endikasyon|ön tanı",
        r"klinische (?:gegevens|vraag(?:stelling)?|informatie)|vraagstelling|indicatie|voorgeschiedenis",
        r"анамнез|жалобы|(?:цель|показания) (?:к )?исследовани[яю]|клинические данные",
        r"dane kliniczne|rozpoznanie kliniczne|wskazania|skierowanie|wywiad",
        r"frågeställning|anamnes|klinisk\w? (?:information|opplysninger|oplysninger)",
        r"임상 ?(?:정보|소견|진단)|병력",
    ),
    "exam": (rf"type of (?:{_EXAM})", r"exam|examination|study"),
}
LOOSE = {
    "both": (r"interpretations?(?: of images)?",),
    "findings": (r"studies",),
    "report": (
        r"results?",
        r"description",
        r"details",
        r"informe|relat[oó]rio|descripci[oó]n|descri[cç][aã]o|descrizione|an[aá]lise|interprétation",
    ),
    # these close a report that has said something; alone they are the end of a letter
    "closing": (r"(?:in )?summary", r"recommendations?", r"plan", r"assessment", r"[a-z]+graphic diagnos[ie]s"),
    "discussion": (r"discussion",),
    "exam": (
        _EXAM,
        r"(?:name of operation|operation performed)",
        r"untersuchung|examen|esame|exame|onderzoek|badanie|исследование|tetkik|undersøkelse|검사(?:명)?",
    ),
    "procedure": (r"procedures?(?: done| performed)?",),
    "technique": (
        r"technical quality",
        r"(?:nuclear |imaging |stress )?protocol",
        r"contrast",
        r"(?:description|summary|details) of procedure",
        r"procedures? in detail",
    ),
    "comparison": (r"correlation", r"prior (?:study|exam)"),
    "history": (
        r"[a-z /]{0,30}(?:history(?: of present illness)?|hx)",
        r"(?:pmh|hpi)(?:/[a-z/]{2,12})?",
        r"cc|chief complaint|symptoms?",
        r"(?:clinical|patient|relevant)(?: (?:information|data))?",
        r"reason for (?:the )?[a-z ]{3,20}",
        r"(?:preoperative|admitting|referring) diagnos[ie]s",
    ),
    "other": (
        r"postoperative diagnos[ie]s",
        r"medications?|meds|pertinent medications?|allergies|anesthesia|complications|estimated blood loss",
        r"fluoro(?:scopy)? time",
        r"objective|physical exam(?:ination)?|vital signs",
        r"[a-z /]{0,30}information",
    ),
}
# Chinese and Japanese stand without spaces, so one may only begin where no other letter is before it.
HAN_NAMES = {
    "findings": (
        r"(?:影像学?|检查|ct|放射学?)?(?:所见|表现|描述)",
        r"(?:画像|検査|読影|影像|檢查|ct)?所見",
    ),
    "impression": (
        r"(?:影像学?|检查|ct|放射学?)?(?:诊断|结论|印象)(?:意见|提示)?|意见|小结",
        r"(?:画像|影像|読影)?診断|結論|印象|まとめ|診斷|インプレッション|コメント",
    ),
    "technique": (r"(?:检查|扫描)?(?:方法|技术)|(?:撮影|検査)(?:方法|条件|手技)",),
    "comparison": (r"对比|比较|比較(?:対象)?",),
    "history": (
        r"(?:临床|现|既往)?病史|临床(?:诊断|资料|信息|表现)|主诉|检查目的",
        r"臨床(?:情報|診断|経過)|既往歴|主訴|(?:検査|依頼)目的",
    ),
    "exam": (r"检查(?:部位|项目|名称)|検査(?:部位|項目|名)",),
}
_ORDER = (
    "both", "findings", "report", "addendum", "impression", "closing", "discussion", "exam", "procedure", "technique",
    "comparison", "history", "other",
)  # fmt: skip
KINDS = {kind: tuple(name for table in (NAMES, LOOSE, HAN_NAMES) for name in table.get(kind, ())) for kind in _ORDER}


def any_of(*tables: dict[str, tuple[str, ...]]) -> str:
    """The inside of a group that matches every name of some tables."""
    return "|".join(name for table in tables for names in table.values() for name in names)
