"""Reading a state dict from a file that may be anything."""

from pathlib import Path
from pickle import UnpicklingError

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from t3d.errors import T3DError

_NESTING = ("state_dict", "model", "network", "net")  # how training tools wrap a state dict in their checkpoints
_UNREADABLE = (
    *(RuntimeError, EOFError, UnpicklingError, SafetensorError, ValueError, LookupError, TypeError),
    *(AttributeError, OSError),  # what the unpickler raises on bytes that merely look like a pickle
)


def read_state(path: str | Path) -> dict[str, Tensor]:
    """Read the state dict of a ``.safetensors`` file or of a torch checkpoint, plain or nested.

    No code from the file is run (``weights_only=True``). Entries that are no tensors are dropped.

    Raises:
        T3DError: no such file, no checkpoint, or a checkpoint without tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise T3DError(f"there is no weights file {path}; {_where_to_get(path)}")
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        unsafe = isinstance(error, UnpicklingError) and "GLOBAL" in str(error)
        raise T3DError(
            f"{path} holds Python objects besides tensors, which are not opened for safety; "
            "save its state dict alone where it was made and use that file."
            if unsafe
            else f"{path} is no checkpoint or is damaged ({path.stat().st_size} bytes); copy it again."
        ) from error
    while isinstance(content, dict) and (inner := _nested(content)) is not None:
        content = inner
    state = (
        {key: value for key, value in content.items() if isinstance(value, Tensor)}
        if isinstance(content, dict)
        else {}
    )
    if not state:
        raise T3DError(f"{path} is a torch file without a state dict; choose a checkpoint of a network.")
    return state


def _where_to_get(path: Path) -> str:
    bundle = path.parent.parent
    if (bundle / "large_files.yml").is_file():
        return f"download it: python -m monai.bundle download_large_files --bundle_path {bundle}"
    return "check the path, or train first."


def _nested(content: dict) -> dict | None:
    return next((content[key] for key in _NESTING if isinstance(content.get(key), dict)), None)
