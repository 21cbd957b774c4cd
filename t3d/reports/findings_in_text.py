"""Which findings an English sentence is about; whether it says that they are there is another question."""

import re

# Ours. Names are those of the phantoms and of CT-RATE's columns, as in the prompts of the package.
_WORDS = {
    "lung_nodule": r"(?<!thyroid )(?<!adrenal )(?<!breast )\bnodul\w+|\b(?:lung|pulmonary|lobe|hilar) mass(?:es)?\b"
    r"|\bmass in the (?:right|left) (?:upper|middle|lower) lobe\b",
    "pleural_effusion": r"\bpleural (?:effusion|fluid|space)s?\b|\bhydrothorax\b",
    "consolidation": r"\bconsolidat\w+",
    "emphysema": r"\b(?:emphysema\w*|bulla[es]?|bullous)\b",
    "cardiomegaly": r"\bcardiomegaly\b|\b(?:heart|cardiac)\b[\w ]{0,20}\b(?:enlarged|size)|\benlarged heart\b"
    r"|\bcardiothoracic\b",
    "pericardial_effusion": r"\bpericardial (?:effusion|fluid)s?\b",
    "aortic_aneurysm": r"\baneurysm\w*",
    "aortic_calcification": r"\baort\w+\b.*\bcalcifi\w+|\bcalcifi\w+\b.*\baort\w+|\baort\w+\b.*\batherosclero\w+",
    "liver_lesion": r"\b(?:liver|hepatic)\b.*\b(?:lesion|mass|metastas[ie]s|abnormality|cyst|h[ae]mangioma)\w*"
    r"|\b(?:lesion|mass|metastas[ie]s|cyst|h[ae]mangioma)\w*\b.*\b(?:liver|hepatic)\b",
    "hepatic_steatosis": r"\b(?:hepato)?steatosis\b|\bfatty (?:liver|infiltration)\b",
    "splenomegaly": r"\bsplenomegaly\b|\bspleen\b.*\b(?:enlarged|size)\b|\benlarged spleen\b",
    "kidney_stone": r"\b(?:renal|kidney|ureter\w*)\b.*\b(?:calcul(?:us|i)|stones?)\b|\b(?:calcul(?:us|i)|stones?)\b.*"
    r"\b(?:renal|kidneys?|ureter\w*)\b|\b(?:nephro|uro)lithiasis\b",
    "kidney_cyst": r"\b(?:renal|kidneys?)\b.*\bcysts?\b|\bcysts?\b.*\b(?:renal|kidneys?)\b",
    "medical_material": r"\b(?:catheter|pacemaker|stents?|clips|sutures?|sternal wires|prosthe\w+|tube)\b",
    "arterial_wall_calcification": r"\b(?:arter\w+|aort\w+)\b.*\bcalcifi\w+|\bcalcifi\w+\b.*\b(?:arter\w+|aort\w+)"
    r"|\batherosclero\w+",
    "coronary_artery_wall_calcification": r"\bcoronar\w+\b.*\bcalcifi\w+|\bcalcifi\w+\b.*\bcoronar\w+",
    "hiatal_hernia": r"\bhiat(?:al|us) hernia\b",
    "lymphadenopathy": r"\b(?:lymph)?adenopathy\b|\blymph nodes?\b|\blymphadenomegaly\b",
    "atelectasis": r"\batelecta\w+",
    "lung_opacity": r"\bopacit(?:y|ies)\b|\bground[- ]glass\b",
    "pulmonary_fibrotic_sequela": r"\bfibro(?:tic|sis)\b|\bsequela[e]?\b",
    "mosaic_attenuation_pattern": r"\bmosaic\b",
    "peribronchial_thickening": r"\b(?:peribronchial|bronchial wall)\b.*\bthicken\w+|\bthicken\w+\b.*\bbronch\w+",
    "bronchiectasis": r"\bbronchiecta\w+",
    "interlobular_septal_thickening": r"\bsept(?:al?|a)\b.*\bthicken\w+|\bthicken\w+\b.*\bsept(?:al?|a)\b",
}
_PATTERNS = {name: re.compile(words, re.IGNORECASE) for name, words in _WORDS.items()}
FINDING_WORDS = tuple(_WORDS)
"""The findings that can be told from a sentence."""


def findings_in(sentence: str) -> list[str]:
    """The findings that a sentence names, denies or doubts; rules, so never perfect."""
    return [name for name, words in _PATTERNS.items() if words.search(sentence)]
