"""Findings that an annotation server keeps as one JSON file per case."""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.transforms import Transform

from t3d.data.findings import labelled
from t3d.errors import T3DError
from t3d.files import read_json


def with_findings(items: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[dict]:
    """Items whose ``label`` is the path of a JSON file, with the label vector in its place.

    Other items are returned as they are. The file holds ``{"findings": {"name": 0, 1 or null}}``, as a case of a
    datalist; a finding that is not named is unknown.

    Args:
        items: with ``image`` and ``label``; ``case_id`` and ``patient_id`` are made of the image's name if absent.
        names: F findings.

    Raises:
        T3DError: a file that cannot be read or names a finding the model does not have; see also
            ``t3d.data.findings.labelled``.
    """
    if not any(isinstance(item.get("label"), str | Path) for item in items):
        return [dict(item) for item in items]
    return labelled([_read(item, names) for item in items], names)


class FindingFilesd(Transform):
    """``with_findings`` for one item of a dataset; a case that knows no finding is let through.

    Args:
        names: F findings.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of the item with the label vector in place of a path."""
        if not isinstance(data.get("label"), str | Path):
            return dict(data)
        return labelled([_read(data, self.names)], self.names, need_any=False)[0]


def _read(item: Mapping[Any, Any], names: Sequence[str]) -> dict:
    path = Path(item["label"])
    case = item.get("case_id") or Path(item["image"]).name.removesuffix(".gz").removesuffix(".nii")
    form = '{"findings": {"name": 0, 1 or null}}'
    who, remedy = f"case {case}: label {path.name}", f"save it again in the form {form}"
    found = read_json(path, what="file of findings", remedy=remedy, who=who, need={"findings": dict})["findings"]
    unknown = sorted(set(found) - set(names))
    if unknown:
        raise T3DError(
            f"case {case}: label {path.name} names {', '.join(unknown)}, which the model does not score; its findings "
            f"are {', '.join(names)}"
        )
    return {"case_id": case, "patient_id": case, **item, "findings": found}
