"""One case's image header, looked at before the image is loaded."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from t3d.data.datalist import check_headers


def check_header(item: Mapping[str, Any]) -> None:
    """Refuse an item whose image is not one 3D NIfTI volume; may be one of the checks of ``run_cases``.

    Folders of DICOM files pass: ``t3d.data.dicom_series.check_item`` looks at those.

    Raises:
        T3DError: see ``t3d.data.datalist.check_headers``.
    """
    if not Path(item["image"]).is_dir():
        check_headers([item])
