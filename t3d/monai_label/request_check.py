"""A MONAI Label request, looked at before anything is computed, so that an annotator reads what is wrong."""

import logging
import sys
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from monai.transforms import Transform
from torch import nn

from t3d.data.datalist import check_header
from t3d.errors import T3DError
from t3d.volume.file_kind import stem
from t3d.volume.hu_plausibility import check_hu
from t3d.volume.image_file import open_image
from t3d.volume.in_words import in_words
from t3d.weights.architecture import mismatch

logger = logging.getLogger(__name__)

# Imported in the process that answers requests only: not in its batch jobs, nor in the bundle's own runs.
_SERVER = "monailabel.app"


class CheckRequest(Transform):
    """First step of the pre-processing of a served bundle; passes the items of the bundle's own runs.

    MONAI Label loads weights with ``strict=False`` and serves a random network where they are missing or of another
    architecture; and it answers every exception with "Internal Server Error". Here both get a sentence, which the
    server logs and sends.

    Args:
        weights: file that the server loads, unless the request names another one beside it (``model_filename``).
        network: what the server loads it into; only names and shapes are kept.
    """

    def __init__(self, *, weights: str, network: nn.Module) -> None:
        self.weights = Path(weights)
        self.expected = {name: torch.empty_like(value, device="meta") for name, value in network.state_dict().items()}

    def __call__(self, data: Mapping[Hashable, Any]) -> Mapping[Hashable, Any]:
        """The item itself.

        Raises:
            HTTPException: inside the server; a T3DError elsewhere.
        """
        if "image_path" not in data:  # only MONAI Label's items have it
            return data
        try:
            check_weights(self._served(data.get("model_filename")), self.expected)
        except T3DError as error:
            _refuse(500, error)
        try:
            check_study(data["image"])
        except T3DError as error:
            _refuse(422, error)
        return data

    def _served(self, wanted: Any) -> Path:
        """The file MONAI Label will load: the wanted one if it exists, else the bundle's."""
        name = wanted[0] if isinstance(wanted, list) and wanted else wanted
        chosen = self.weights.with_name(name) if isinstance(name, str) else self.weights
        return chosen if chosen.is_file() else self.weights


def check_weights(path: Path, expected: Mapping[str, torch.Tensor]) -> None:
    """Refuse weights that MONAI Label would load in part or not at all.

    Args:
        path: a plain state dict, or one under ``model``, which is what MONAI Label takes.
        expected: name -> tensor of that shape.

    Raises:
        T3DError: no file, no weights, or those of another network.
    """
    remedy = "copy model.pt and model.json of one training there again"
    if not path.is_file():
        raise T3DError(f"the model {path} does not exist; {remedy}, or go back to models/released")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # noqa: BLE001 - torch raises many kinds for a damaged file
        raise T3DError(f"the model {path} cannot be read ({type(error).__name__}); {remedy}") from error
    content = content.get("model", content) if isinstance(content, Mapping) else {}
    found = {name: value for name, value in content.items() if isinstance(value, torch.Tensor)}
    difference = mismatch(found, expected)
    if difference is not None:
        raise T3DError(f"the model {path} is of another network than model.json describes: {difference}; {remedy}")


def check_study(image: Any) -> None:
    """Refuse a study that would fail or mislead later; a study without Hounsfield units is warned about.

    A NIfTI file is read once in full, which shows truncation and NaN: a second or two for a large CT.

    Raises:
        T3DError: no such file, no readable 3D volume, voxels that are NaN or infinite, or an incomplete DICOM series.
    """
    if not isinstance(image, str):
        return
    path = Path(image)
    item = {"case_id": stem(path), "image": image}
    if not path.exists():
        raise T3DError(f"case {item['case_id']}: {path} does not exist; reload the list of studies")
    check_header(item)
    if path.is_file():
        with in_words(f"case {item['case_id']}: {path.name}"):
            voxels = np.asanyarray(open_image(path).dataobj)
        if voxels.dtype.kind == "f" and not np.isfinite(voxels).all():
            raise T3DError(f"case {item['case_id']}: {path.name} has voxels that are NaN or infinite; replace them")
    check_hu(item)


def _refuse(status: int, error: T3DError) -> NoReturn:
    logger.error("%s", error)
    if _SERVER not in sys.modules:
        raise error
    from fastapi import HTTPException  # a server's own dependency, never ours

    raise HTTPException(status_code=status, detail=str(error)) from error
