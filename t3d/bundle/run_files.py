"""A run over files that people bring: each is looked at before it is loaded, and one that fails is named."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ignite.engine import Engine
from monai.data import Dataset

from t3d.data.datalist import check_header
from t3d.infer.case_by_case import run_cases
from t3d.infer.pending_cases import pending_cases
from t3d.volume.dicom_series import check_item
from t3d.volume.hu_plausibility import check_hu


def run_files(
    evaluator: Engine,
    dataset: Dataset,
    *,
    output_dir: str | Path,
    num_workers: int = 0,
    cases: Sequence[Mapping[str, Any]] | None = None,
    overwrite: bool = True,
    skip_done: bool = False,
) -> None:
    """``run_cases`` with the checks of a single file: a complete DICOM series, a 3D header, Hounsfield units.

    Args:
        evaluator, dataset, output_dir: see ``run_cases``.
        num_workers: processes that load.
        cases: all cases that were asked for, in place of those of ``dataset``.
        overwrite, skip_done: what becomes of cases with a result, see ``pending_cases``; those that are not worked on
            are recorded as skipped.

    Raises:
        T3DError: results are there unasked; after all cases, when at least one failed.
    """
    asked = dataset.data if cases is None else cases
    dataset.data = pending_cases(asked, output_dir=output_dir, overwrite=overwrite, skip_done=skip_done)
    names = {item["case_id"] for item in dataset.data}
    run_cases(
        evaluator,
        dataset,
        output_dir=output_dir,
        dataloader_options={"num_workers": num_workers},
        checks=(check_item, check_header, check_hu),
        skipped=sorted({item["case_id"] for item in asked} - names),
    )
