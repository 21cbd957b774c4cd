"""One version for the package and its bundles, written in three places that must agree."""

import json
import re
from pathlib import Path

import t3d
from t3d.errors import T3DError

# MONAI and the model zoo compare versions as strings, so that 0.10.0 would come before 0.9.0
VERSION = re.compile(r"\d\.\d\.\d")


def read_metadata(bundle: Path) -> dict:
    """The content of a bundle's ``configs/metadata.json``.

    Raises:
        T3DError: there is none, or it is no JSON object.
    """
    path = bundle / "configs" / "metadata.json"
    try:
        metadata = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise T3DError(f"{path} cannot be read ({error}); {bundle} is no complete MONAI bundle.") from error
    if not isinstance(metadata, dict):
        raise T3DError(f"{path} holds no JSON object; {bundle} is no complete MONAI bundle.")
    return metadata


def checked_version(bundle: Path) -> str:
    """A bundle's version, after making sure that metadata, changelog and package agree on it.

    Raises:
        T3DError: they differ (the message has the three values), or a part of it is more than one digit.
    """
    metadata = read_metadata(bundle)
    version, changelog = metadata.get("version"), metadata.get("changelog")
    described = sorted(changelog) if isinstance(changelog, dict) else []
    if version != t3d.__version__ or version not in described:
        raise T3DError(
            f"{bundle.name}: the versions differ: configs/metadata.json has version {version}, its changelog "
            f"describes {', '.join(described) or 'none'}, t3d.__version__ is {t3d.__version__}; "
            "write the same one in all three."
        )
    if not VERSION.fullmatch(version):
        raise T3DError(
            f"{bundle.name}: version {version} is not of the form D.D.D with one digit each; MONAI compares versions "
            "as strings, choose another."
        )
    return version
