"""Reports of a cohort that keeps findings and impression in columns of their own."""

from t3d.cohorts.table import known


def joined_report(findings: str | None, impression: str | None) -> str | None:
    """One report text with headings, as ``t3d.reports.sections`` reads them; None where both are empty."""
    parts = [
        f"{heading}:\n{text}"
        for heading, text in (("FINDINGS", known(findings)), ("IMPRESSION", known(impression)))
        if text
    ]
    return "\n".join(parts) or None
