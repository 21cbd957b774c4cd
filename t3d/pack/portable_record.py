"""Records beside weights, without the folders of the machine that trained them."""

import json
import re
from pathlib import Path
from typing import Any

from t3d.errors import T3DError

# settings that may hold a path of the training machine
_PATHS = ("text_encoder", "encoder_weights")
_LOCAL = re.compile(r"^(/|\\|~|\.|[A-Za-z]:)|[/\\].*[/\\]")


def portable_record(path: Path) -> bytes:
    """The content of a record (``model.json``, ``encoder.json``) with paths reduced to their last part.

    A name of the Hugging Face hub, ``owner/name``, stays. What is kept tells a person which one it was.

    Raises:
        T3DError: the record cannot be read.
    """
    content = path.read_bytes()
    try:
        record = json.loads(content)
    except ValueError as error:
        raise T3DError(f"{path} is damaged: it is no JSON; train again or copy it again with its weights.") from error
    shortened = _shortened(record)
    return content if shortened == record else (json.dumps(shortened, indent=2) + "\n").encode()


def local_text_encoder(path: Path) -> str | None:
    """The text encoder that a record names, where it is a folder and no name of the Hugging Face hub."""
    text = json.loads(path.read_bytes()).get("text") or {}
    name = text.get("text_encoder")
    return name if isinstance(name, str) and _is_local(name) else None


def _is_local(value: str) -> bool:
    return bool(_LOCAL.search(value)) or Path(value).exists()


def _shortened(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _shortened(inner, name) for name, inner in value.items()}
    if key in _PATHS and isinstance(value, str) and _is_local(value):
        return re.split(r"[/\\]", value.rstrip("/\\"))[-1]
    return value
