"""Made-up reports and a text encoder of width 32, for the tests of the report side."""

from pathlib import Path

from t3d.demo.tiny_bert import tiny_bert

REPORTS = [
    "FINDINGS: The lungs are clear. There is a 1.2 cm nodule in the right lower lobe. No pleural effusion. "
    "IMPRESSION: Right lower lobe nodule.",
    "FINDINGS: The lungs are clear. The liver is normal. No pleural effusion. IMPRESSION: Normal exam.",
    "FINDINGS: There is a left pleural effusion. The liver is normal. The heart is enlarged, e.g. 16 cm. "
    "IMPRESSION: 1. Left pleural effusion. 2. Enlarged heart.",
    "FINDINGS: The lungs are clear. There is a cyst of the left kidney. IMPRESSION: Left kidney cyst.",
]


def cases(reports: list[str] = REPORTS) -> list[dict]:
    return [{"case_id": f"case{i}", "report": report} for i, report in enumerate(reports)]


def make_encoder(folder: Path) -> str:
    return tiny_bert(folder / "tiny", REPORTS, width=32, heads=2, max_tokens=256)
