"""The command `t3d export`."""

import io
import logging
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import monai
import torch

import t3d
from t3d.atomic import write_atomically
from t3d.errors import T3DError
from t3d.export.compare import TOLERANCE, Difference, as_named, as_record, compare, must_be_small
from t3d.export.onnx_model import OPSET, onnx_bytes, package_versions
from t3d.export.parts import HEAD, MAIN, Part, parts_of
from t3d.export.program import export_program, program_bytes
from t3d.export.record import RECORD_NAME
from t3d.export.session import OnnxSession
from t3d.export.trained import read_trained, windows_of
from t3d.files import json_bytes, refuse_existing, sha256
from t3d.weights.record import new_record

logger = logging.getLogger(__name__)

FORMATS = {"program": (".pt2",), "onnx": (".onnx",), "both": (".pt2", ".onnx")}


def export_bundle(
    bundle_root: str,
    *,
    out_dir: str,
    ckpt_dir: str | None = None,
    format: str = "both",
    image: str | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Export the trained network of a bundle; nothing is written unless it does what the network does.

    Args:
        bundle_root: folder of the bundle.
        out_dir: folder for ``model.pt2`` and ``model.onnx`` (classification: ``head.*`` too) and ``export.json``.
        ckpt_dir: folder with ``model.pt``; the bundle's ``models`` if not given.
        format: "program" (torch.export), "onnx" or "both".
        image: a CT whose windows are compared too, beside made-up ones.
        overwrite: replace an earlier export.

    Returns:
        The content of ``export.json``.

    Raises:
        T3DError: no weights, an unknown format, missing packages, an earlier export, or too large a difference.
    """
    if format not in FORMATS:
        raise T3DError(f"--format is {format!r}; give one of {', '.join(FORMATS)}")
    endings, folder = FORMATS[format], Path(out_dir)
    versions = {"t3d": t3d.__version__, "monai": monai.__version__, "torch": torch.__version__}
    versions |= {"python": platform.python_version()}
    if ".onnx" in endings:
        versions |= package_versions()
    there = [path for path in (folder / name for name in _all_names()) if path.exists()]
    refuse_existing(there, overwrite=overwrite, option="--out_dir")
    trained = read_trained(bundle_root, ckpt_dir=ckpt_dir)
    crop_size = trained.settings["preprocessing"]["crop_size"]
    windows = None if image is None else windows_of(trained.prepare(str(image)), crop_size=crop_size)

    contents: dict[str, bytes] = {}
    signatures: dict[str, dict] = {}
    checks: dict[str, list[dict]] = {}
    for part in parts_of(trained.network, crop_size=crop_size):
        logger.info("exporting %s of %s", part.name, Path(bundle_root).resolve().name)
        program = export_program(part)
        made = {
            part.name + end: program_bytes(program) if end == ".pt2" else onnx_bytes(program, part) for end in endings
        }
        runs = {
            name: OnnxSession(content) if name.endswith(".onnx") else _program(content, part)
            for name, content in made.items()
        }
        for name, found in compare(part, runs, ct=windows).items():
            worst = must_be_small(found, file=name)
            checks[name] = as_record(found)
            logger.info("%s: %.1f MB, %s", name, len(made[name]) / 1e6, _sentence(worst))
        contents |= made
        signatures[part.name] = _signature(part)
    more = {
        "bundle": Path(bundle_root).resolve().name,
        "weights": trained.weights,
        "signatures": signatures,
        **trained.settings,
        **({"opset": OPSET} if ".onnx" in endings else {}),
        "versions": versions,
        "check": {"tolerance": TOLERANCE, "on_a_ct": windows is not None, "files": checks},
    }
    hashes = {name: sha256(content) for name, content in contents.items()}
    record = new_record("export", files=hashes, record=more)
    files = {**contents, RECORD_NAME: json_bytes(record)}
    write_atomically({folder / name: content for name, content in files.items()})
    for path in there:
        if path.name not in files:
            path.unlink()  # of the other format, and of the earlier export's weights
    logger.info("wrote %s to %s", ", ".join(files), folder)
    return record


def _all_names() -> list[str]:
    return [name + ending for name in (MAIN, HEAD) for ending in (".pt2", ".onnx")] + [RECORD_NAME]


def _program(content: bytes, part: Part) -> Callable[..., dict[str, torch.Tensor]]:
    module = torch.export.load(io.BytesIO(content)).module()
    return lambda **inputs: as_named(part, module(*inputs.values()))


def _signature(part: Part) -> dict[str, Any]:
    def sides(name: str) -> list[int | str]:
        axes = part.dynamic.get(name, {})
        return [axes[axis][0] if axis in axes else side for axis, side in enumerate(part.inputs[name].shape)]

    return {"inputs": {name: sides(name) for name in part.inputs}, "outputs": list(part.outputs)}


def _sentence(worst: Difference) -> str:
    return (
        f"differs from the trained network by {worst.max_difference:.2g} at most ({worst.output}, largest value "
        f"{worst.largest_value:.3g}, a window of {worst.sample} among {worst.batch})"
    )
