"""Which cases of a datalist go into a run, and what of each: never more than a stage needs, so no report text."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.data import load_decathlon_datalist

from t3d.data.datalist import load_datalist, read_datalist
from t3d.data.findings import labelled
from t3d.data.inference_cases import find_volumes
from t3d.data.label_fraction import TRAINING, choose_fraction
from t3d.prepare.originals import original_files

_CASE = ("case_id", "patient_id", "image")


def labelled_items(
    datalist_file: str | Path, split: str, *, fraction: float = 1, seed: int = 0, record_file: str | Path | None = None
) -> list[dict]:
    """Images and labels of one list of a datalist; empty where there is no such file or list.

    A bundle must open without data (``load``, MONAI Label, a federated client, which bring their own); a training
    checks its datalist before it begins.

    Args:
        datalist_file, split: file and name of the list.
        fraction, seed, record_file: see ``choose_fraction``.
    """
    file = Path(datalist_file)
    if not file.is_file() or not read_datalist(file).get(split):
        return []
    found = load_decathlon_datalist(file, True, split)
    items = [{**_identity(item), **_present(item, ("image", "label"))} for item in found]
    return choose_fraction(items, fraction=fraction, seed=seed, record_file=record_file, split=split)


def finding_items(
    datalist_file: str | Path,
    *,
    split: str,
    names: Sequence[str],
    need_both: bool = False,
    fraction: float = 1,
    seed: int = 0,
    record_file: str | Path | None = None,
) -> list[dict]:
    """The cases of one list with their findings as label vectors; a share of them shows each finding early.

    Args:
        datalist_file, split: see ``load_datalist``.
        names, need_both: see ``labelled``; they are asked of the whole list.
        fraction, seed, record_file: see ``choose_fraction``. A share of another list than that of training is taken of
            the cases that know a finding: a single one that knows none would measure nothing.
    """
    items = labelled(load_datalist(datalist_file, split, need_report=False), names, need_both=need_both)
    if fraction != 1 and split != TRAINING:
        items = [item for item in items if not all(math.isnan(value) for value in item["label"])]
    return choose_fraction(
        items, fraction=fraction, seed=seed, record_file=record_file, stratify="findings", split=split
    )


def measured_items(datalist_file: str | Path, split: str) -> list[dict]:
    """Cases whose segmentations are compared with their labels, on the grids of the original files.

    Returns:
        Dicts with ``case_id``, ``patient_id``, ``image`` and, where there is one, ``label_file``: under another name
        than ``label``, so that it is read as it is and not prepared for the network.

    Raises:
        T3DError: any fault of the datalist, or an original that is not there.
    """
    found = original_files(load_datalist(datalist_file, split, need_report=False), datalist_file)
    return [{**_present(item, _CASE), **({"label_file": item["label"]} if "label" in item else {})} for item in found]


def given_items(
    dataset_dir: str | Path, *, datalist_file: str | Path | None = None, split: str = "test", originals: bool = False
) -> list[dict]:
    """The volumes of an inference: of a datalist or of a folder, see ``find_volumes``.

    Args:
        dataset_dir: folder of volumes, or with a ``datalist.json``.
        datalist_file, split: a list to take instead.
        originals: in place of prepared files those they were made from, for results on their grid.

    Returns:
        Dicts with ``case_id``, ``patient_id`` and ``image``.
    """
    found = find_volumes(dataset_dir, datalist_file=datalist_file, split=split)
    if originals:
        found = original_files(found, datalist_file or Path(dataset_dir) / "datalist.json")
    return [_present(item, _CASE) for item in found]


def _identity(item: Mapping[str, Any]) -> dict[str, str]:
    case, patient = item.get("case_id", ""), item.get("patient_id")
    # not `or`: a patient number 0 is a patient
    return {"case_id": str(case), "patient_id": str(case if patient is None or patient == "" else patient)}


def _present(item: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    return {key: item[key] for key in keys if item.get(key)}
