"""What MONAI's model zoo asks of a bundle, as far as its files tell.

Source: ``ci/verify_bundle.py``, ``CONTRIBUTING.md`` and ``docs/readme_template.md`` of Project-MONAI/model-zoo. Its
checks that run something (schema, network shapes, properties, unit tests) are MONAI's own and are in the tests;
``make zoo-check`` collects all of it.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from t3d.errors import T3DError
from t3d.pack.versions import VERSION, read_metadata

LARGEST = 25_000_000  # bytes of one file; larger ones are named in large_files.yml
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_NEEDED = (
    "LICENSE",
    "configs/metadata.json",
    "configs/train.json",
    "configs/inference.json",
    "configs/logging.conf",
    "docs/README.md",
    "docs/data_license.txt",
)
# the zoo's template, in our words: description, data and usage; performance; limitations; citation
_SECTIONS = ("Install", "Use", "Method", "Measured", "Limits", "Licence and citation")
_INFERENCE = ("bundle_root", "device", "network_def", "inferer", "output_dir")
_TRAIN = (
    "bundle_root",
    "device",
    "dataset_dir",
    "output_dir",
    "val_interval",
    "train/trainer/max_epochs",
    "train/dataset/data",
    "train/handlers",
    "train/inferer",
    "validate/evaluator",
    "validate/handlers",
    "validate/dataset/data",
    "validate/inferer",
)
_ABSOLUTE = re.compile(r'"(/(home|Users|root|mnt|data|workspace|tmp)/[^"]*|[A-Za-z]:\\\\[^"]*)"')


def broken_rules(bundle: Path) -> list[str]:
    """One sentence for each rule that a bundle's folder breaks; empty when it is ready.

    Args:
        bundle: folder as it is handed in: unpacked, or in the source repository.
    """
    missing = [f"{name} is missing" for name in _NEEDED if not (bundle / name).is_file()]
    if missing:
        return missing
    try:
        return [
            *_name(bundle),
            *_metadata(bundle),
            *_keys(bundle / "configs" / "inference.json", _INFERENCE),
            *_keys(bundle / "configs" / "train.json", _TRAIN),
            *_readme(bundle),
            *_files(bundle),
        ]
    except T3DError as error:
        return [str(error)]


def _name(bundle: Path) -> Iterator[str]:
    if not _NAME.fullmatch(bundle.name):
        yield f"the folder's name {bundle.name} is not made of lower-case letters, digits and underscores"


def _metadata(bundle: Path) -> Iterator[str]:
    metadata = read_metadata(bundle)
    version = metadata.get("version")
    if not isinstance(version, str) or not VERSION.fullmatch(version):
        yield f"metadata.json: version {version!r} is not of the form D.D.D"
    if version not in (metadata.get("changelog") or {}):
        yield f"metadata.json: the changelog does not describe version {version}"
    for key in ("name", "task", "required_packages_version", "supported_apps", "network_data_format"):
        if key not in metadata:
            yield f"metadata.json: {key} is missing"


def _keys(path: Path, keys: tuple[str, ...]) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    config = json.loads(text)
    for key in keys:
        if not _has(config, key.split("/")):
            yield f"{path.name}: {key} is missing"
    for found in _ABSOLUTE.finditer(text):
        yield f"{path.name}: the absolute path {found.group(1)} exists on one machine only"


def _has(config: Any, parts: list[str]) -> bool:
    for part in parts:
        if not isinstance(config, dict) or part not in config:
            return False
        config = config[part]
    return True


def _readme(bundle: Path) -> Iterator[str]:
    text = (bundle / "docs" / "README.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    for section in _SECTIONS:
        if not any(heading.startswith(section) for heading in headings):
            yield f"docs/README.md has no section {section}"
    for word in ("TorchScript", "TensorRT", "not for clinical decisions"):
        if word.lower() not in text.lower():
            yield f"docs/README.md says nothing about {word}"


def _files(bundle: Path) -> Iterator[str]:
    for path in sorted(bundle.rglob("*")):
        name = path.relative_to(bundle).as_posix()
        if path.is_symlink():
            yield f"{name} is a symbolic link"
        elif path.is_file() and path.stat().st_size > LARGEST:
            yield f"{name} has {path.stat().st_size} bytes, more than {LARGEST}: name it in large_files.yml instead"
