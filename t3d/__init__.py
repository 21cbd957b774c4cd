"""T3D: vision-language pre-training for high-resolution 3D medical images (after arXiv 2312.01529).

``t3d.embed(ct, model)``, ``t3d.segment(ct, model)`` and ``t3d.classify(ct, model)`` are one call each for a path, a
nibabel image or an array with its affine; ``t3d.load(model)`` gives the network with its preprocessing.
"""

from importlib import import_module
from typing import Any

from t3d.renamed import install

__version__ = "0.1.0"

# imported when they are asked for: torch and MONAI take seconds, which `t3d --help` need not wait for
_FACES = {
    "embed": "t3d.api.embed",
    "segment": "t3d.api.segment",
    "classify": "t3d.api.classify",
    "load": "t3d.api.model",
}

install()


def __getattr__(name: str) -> Any:
    """The public calls, each from its module."""
    if name not in _FACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_FACES[name]), name)
