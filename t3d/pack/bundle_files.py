"""Which files go into a bundle's package."""

import json
import logging
from pathlib import Path

import t3d
from t3d.errors import T3DError
from t3d.pack.described_weights import described_weights
from t3d.pack.portable_record import local_text_encoder, portable_record
from t3d.pack.sums import OLD, SUMS, file_sha256
from t3d.pack.versions import read_metadata

logger = logging.getLogger(__name__)

# content of a file: its bytes, or the file to copy them from
Contents = dict[str, "bytes | Path"]

WEIGHTS = "model.pt"
# What a bundle's own stages and those after it read. Not among them: checkpoints, model_last.pt and model_best.pt,
# encoder.pt (the same tensors as encoder.safetensors), and label_fraction.json, which names patients.
MODEL_FILES = (
    WEIGHTS,
    "model.json",
    "encoder.json",
    "thresholds.json",
    "encoder.safetensors",
)
_RECORDS = ("model.json", "encoder.json")
_FOLDERS = ("configs", "docs")
_EXPORT = "export"  # networks that were exported for other runtimes, where there are any
_OF_RUNS = ("models", "eval", "data", "t3d", SUMS, OLD, "README.md", "large_files.yml", "__pycache__")
_CODE_SUFFIXES = (".py", ".json", ".js", ".css", ".html")


def code_files() -> Contents:
    """A copy of the running ``t3d``: modules and package data, as bytes, under ``t3d/``."""
    package = Path(t3d.__file__).resolve().parent
    return {
        f"t3d/{path.relative_to(package).as_posix()}": path.read_bytes()
        for path in sorted(package.rglob("*"))
        if path.suffix in _CODE_SUFFIXES and "__pycache__" not in path.parts and path.is_file()
    }


def bundle_files(bundle: Path, *, models: Path | None = None) -> Contents:
    """A bundle's licence, configurations, documents and, where it is trained, its weights and exports.

    Args:
        bundle: folder of the bundle.
        models: folder of the weights, if not the bundle's own ``models``.

    Raises:
        T3DError: the bundle lacks a part, holds a symbolic link, or its weights and their record do not belong
            together.
    """
    if not (bundle / "LICENSE").is_file():
        raise T3DError(f"{bundle} has no LICENSE; a package without one cannot be used by anybody.")
    contents: Contents = {"LICENSE": bundle / "LICENSE"}
    for folder in _FOLDERS:
        files = [path for path in sorted((bundle / folder).rglob("*")) if not path.is_dir() and not _hidden(path)]
        if not files:
            raise T3DError(f"{bundle} has no {folder} folder; it is no complete MONAI bundle.")
        contents.update({path.relative_to(bundle).as_posix(): path for path in files})
    if models is None:  # else the exported networks are of other weights
        contents.update({f"{_EXPORT}/{path.name}": path for path in sorted((bundle / _EXPORT).glob("[!.]*"))})
    for path in sorted(bundle.iterdir()):
        if path.name not in (*contents, *_FOLDERS, _EXPORT, *_OF_RUNS) and not _hidden(path):
            logger.warning("%s: %s is left out of the package", bundle.name, path.name)
    if (bundle / "models" / "README.md").is_file():
        contents["models/README.md"] = bundle / "models" / "README.md"
    contents.update(_model_files(bundle.name, models or bundle / "models"))
    for record in _RECORDS:
        portable = contents.get(f"models/{record}")
        if isinstance(portable, bytes):
            described = described_weights(read_metadata(bundle), json.loads(portable))
            contents["configs/metadata.json"] = (json.dumps(described, indent=4) + "\n").encode()
    links = [name for name, content in contents.items() if isinstance(content, Path) and content.is_symlink()]
    if links:
        raise T3DError(f"{bundle.name}: {links[0]} is a symbolic link, which zips break; put the file itself there.")
    return contents


def _hidden(path: Path) -> bool:
    return path.name.startswith(".") or path.name.endswith("~") or "__pycache__" in path.parts


def _model_files(bundle: str, models: Path) -> Contents:
    found = {name: models / name for name in MODEL_FILES if (models / name).is_file()}
    if WEIGHTS not in found:
        logger.warning("%s: no %s in %s: the package has no weights", bundle, WEIGHTS, models)
        return {}
    records = [name for name in _RECORDS if name in found]
    if not records:
        raise T3DError(
            f"{models} has {WEIGHTS} but neither {' nor '.join(_RECORDS)}, which say how to use it; copy the record "
            "of the same training there."
        )
    contents: Contents = {f"models/{name}": path for name, path in found.items()}
    for name in records:
        _check_record(found[name])
        contents[f"models/{name}"] = portable_record(found[name])
    encoder = "encoder.json" in records and local_text_encoder(found["encoder.json"])
    if encoder:
        logger.warning(
            "%s: the text encoder is the folder %s, which is not packed: who scores texts with these weights must "
            "give it with --text_encoder",
            bundle,
            encoder,
        )
    return contents


def _check_record(path: Path) -> None:
    try:
        hashes = dict(json.loads(path.read_bytes())["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise T3DError(f"{path} is damaged or no record; copy it again with its weights.") from error
    for name, expected in hashes.items():
        weights = path.with_name(name)
        if name in MODEL_FILES and weights.is_file():
            with open(weights, "rb") as file:
                found = file_sha256(file)
            if found != expected:
                raise T3DError(
                    f"{weights} has sha256 {found[:12]}.., but {path.name} beside it says {expected[:12]}..: they are "
                    "of different trainings. Copy both again from where they were made."
                )
