"""An arm whose encoder was trained before: the user's weights, held against what the study trains."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from t3d.errors import T3DError
from t3d.files import read_json, sha256
from t3d.study.recipe_settings import Abilities

if TYPE_CHECKING:
    from t3d.study.run_cell import Work

_WEIGHTS, _RECORD, _MODEL = "encoder.safetensors", "encoder.json", "model.pt"
_FORM = "give what a pre-training leaves in its ckpt_dir: the folder with encoder.safetensors and encoder.json"


def given_settings(path: Path) -> dict[str, Any]:
    """What decides an arm with given weights: the content of its files.

    Args:
        path: ``ckpt_dir`` of a pre-training, a folder with it as ``models``, or the weights in it.

    Raises:
        T3DError: no weights, or no record beside them.
    """
    places = (path, path / "models") if path.is_dir() else (path.parent,) if path.name == _WEIGHTS else ()
    folder = next((one for one in places if (one / _WEIGHTS).is_file()), None)
    if folder is None:
        raise T3DError(f"--encoder {path}: found no {_WEIGHTS}; {_FORM}")
    files = [folder / name for name in (_WEIGHTS, _RECORD, _MODEL) if (folder / name).is_file()]
    if folder / _RECORD not in files:
        raise T3DError(f"--encoder {path}: found no {_RECORD} beside the weights; {_FORM}")
    return {"folder": str(folder), "files": {file.name: sha256(file) for file in files}}


def given_abilities(settings: Mapping[str, Any]) -> Abilities:
    """What a given network can be asked; nothing but its encoder where the weights of the rest are not there."""
    if _MODEL not in settings["files"]:
        return Abilities(reads_text=False, restores=False)
    record = read_json(Path(settings["folder"]) / _RECORD, what="encoder record", remedy=_FORM)
    network = record.get("network") or {}
    heads = network.get("use_sentences") or network.get("use_alignment")
    return Abilities(
        reads_text=bool(network.get("use_text", True) and heads), restores=bool(network.get("use_restoration", True))
    )


def given_cell(work: "Work") -> None:
    """Copy the weights into the cell, so that the study stays whole when the training's folder goes."""
    target = work.folder / "models"
    target.mkdir(exist_ok=True)
    source = Path(work.settings["folder"])
    for name, content in work.settings["files"].items():
        shutil.copyfile(source / name, target / name)
        if sha256(target / name) != content:
            raise T3DError(f"{source / name} changed since the study began; run the study again")
