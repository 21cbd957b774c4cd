"""A tiny text encoder made from the reports of a cohort's own training list."""

from pathlib import Path
from typing import Any

from t3d.data.datalist import load_datalist
from t3d.data.wordings import every_wording
from t3d.demo.tiny_bert import tiny_bert
from t3d.reports.clean import clean_report


def cohort_bert(datalist_file: str | Path, out_dir: str | Path, **options: Any) -> str:
    """Make ``tiny_bert`` from the reports of the ``training`` list; validation and test reports are not used.

    Args:
        datalist_file: datalist JSON.
        out_dir: folder of the text encoder; reused if it was made from the same reports and options.
        options: see ``tiny_bert``.

    Returns:
        the folder, as ``--text_encoder`` takes it.

    Raises:
        T3DError: a fault in the datalist, or a fault that ``tiny_bert`` finds.
    """
    items = load_datalist(datalist_file, "training", need_report=True)
    return tiny_bert(out_dir, [clean_report(item["report"]) for item in every_wording(items)], **options)
