"""Packages that only networks which read text need: imported where they are used, so that all others do without."""

import importlib
from types import ModuleType

from t3d.errors import T3DError


def import_for_text(name: str) -> ModuleType:
    """A module of transformers or of what comes with it.

    Args:
        name: such as ``transformers`` or ``huggingface_hub``.

    Raises:
        T3DError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise T3DError(
            f"text encoders need the package transformers ({error}): pip install 'transformers>=4.45', or train "
            "without reports (--use_text False)."
        ) from error
