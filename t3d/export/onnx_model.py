"""A part as an ONNX model."""

import contextlib
import importlib
import importlib.metadata
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch.export import ExportedProgram

from t3d.errors import T3DError
from t3d.export.parts import Part
from t3d.export.program import dynamic_shapes

OPSET = 20
PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def import_onnxruntime() -> Any:
    """The module onnxruntime.

    Raises:
        T3DError: it is not installed.
    """
    try:
        return importlib.import_module("onnxruntime")
    except ImportError as error:
        raise T3DError("ONNX models are run by onnxruntime, which is missing: pip install onnxruntime") from error


def package_versions() -> dict[str, str]:
    """Versions of the packages that an export to ONNX needs.

    Raises:
        T3DError: one of them is missing.
    """
    found, missing = {}, []
    for name in PACKAGES:
        try:
            importlib.import_module(name)
            found[name] = importlib.metadata.version(name)
        except (ImportError, importlib.metadata.PackageNotFoundError):
            missing.append(name)
    if missing:
        raise T3DError(f"the export to ONNX needs {', '.join(missing)}: pip install {' '.join(PACKAGES)}")
    return found


def onnx_bytes(program: ExportedProgram, part: Part) -> bytes:
    """An exported program as the content of a ``.onnx`` file, weights included (at most 2 GB: protobuf's limit).

    Torch's own exporter, the one that takes programs of torch.export ("dynamo").
    """
    with _quiet():
        model: Any = torch.onnx.export(
            program,
            dynamo=True,
            input_names=list(part.inputs),
            output_names=list(part.outputs),
            opset_version=OPSET,
            dynamic_shapes=dynamic_shapes(part),  # for the names of the axes alone
            verbose=False,
        )
    return model.model_proto.SerializeToString()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks on torchvision, which is not used, on its own code, and on each node."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
