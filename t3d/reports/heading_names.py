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
        r"hallazgos|achados|reperti|referto",  # Spanish, Portuguese, Italian
        r"r[eé]sultats?|constatations",  # French
        r"bulgular",  # Turkish
        r"bevindingen|verslag",  # Dutch
        r"описание(?: исследования)?",  # Russian
    ),
    # the findings of a report that has no heading of that name
    "report": (r"(?:radiology |imaging |ct )?report", r"narrative"),
    "addendum": (r"addend(?:um|a)(?: ?#? ?\d)?",),
    "impression": (
        r"(?:final |overall |clinical )?impressions?",
        r"conclusions?",
        r"opinion",
        r"impressions? ?(?:and|/|&) ?(?:plan|recommendations?|conclusions?)",
        r"beurteilung|zusammenfassung(?: und beurteilung)?",
        r"impresi[oó]n(?: diagn[oó]stica)?|conclusi[oó]n(?:es)?|impress[aã]o(?: diagn[oó]stica)?"
        r"|conclus[aã]o|conclusioni|conclusie",
        r"sonuç(?:lar)?|izlenim|değerlendirme",
        r"заключение",
    ),
    "technique": (
        r"(?:imaging |image |stress |ct |scan(?:ning)? )?techniques?(?: of procedure)?",
        r"t[eé]cnica|tecnica|technik|untersuchungstechnik|teknik",
        r"методика(?: исследования)?",
    ),
    "comparison": (
        rf"comparisons?(?: (?:{_EXAM}))?",
        r"vergleich(?:suntersuchung)?|voruntersuchung(?:en)?|compara(?:ci[oó]n|[cç][aã]o)|comparaison|confronto"
        r"|karşılaştırma",
    ),
    "history": (
        rf"(?:(?:{_OWN}) ){{0,3}}(?:history(?: of present illness)?|hx)",
        rf"(?:clinical |pertinent |brief )?indications?(?: for (?:the )?(?:{_EXAM}|procedure))?",
        r"clinical (?:information|data|details|question|context|background|notes?|presentation)",
        r"klinische (?:angaben|fragestellung)|klinik|fragestellung|(?:rechtfertigende )?indikation|anamnese",
        r"datos cl[ií]nicos|informaci[oó]n cl[ií]nica|indicaci[oó]n|antecedentes|motivo(?: del? \w+)?"
        r"|indica[cç][aã]o(?: cl[ií]nica)?|quesito(?: clinico)?|renseignements cliniques|ant[eé]c[eé]dents",
        r"klinik (?:bilgi(?:ler)?|öykü)|endikasyon",
        r"анамнез",
    ),
    "exam": (rf"type of (?:{_EXAM})", r"exam|examination|study"),
}
LOOSE = {
    "both": (r"interpretations?(?: of images)?",),
    "findings": (r"studies",),
    "report": (r"results?", r"description", r"details"),
    # these close a report that has said something; alone they are the end of a letter
    "closing": (r"(?:in )?summary", r"recommendations?", r"plan", r"assessment", r"[a-z]+graphic diagnos[ie]s"),
    "discussion": (r"discussion",),
    "exam": (_EXAM, r"(?:name of operation|operation performed)"),
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
        r"(?:影像|检查|ct|放射)?(?:所见|表现|描述)|影像学(?:所见|表现|描述)",
        r"(?:画像|検査|ct)?所見|(?:影像|檢查)?所見",
    ),
    "impression": (
        r"(?:影像|检查|ct|放射)?(?:诊断|结论|印象)(?:意见|提示)?|影像学诊断|小结",
        r"(?:画像|影像)?診断|結論|印象|まとめ|診斷",
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
