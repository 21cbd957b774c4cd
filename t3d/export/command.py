"""The command `t3d export`."""

import logging
import platform
from pathlib import Path
from typing import Any

import monai
import torch

import t3d
from t3d.atomic import write_atomically
from t3d.export.compare import TOLERANCE, Difference, as_record, compare, must_be_small
from t3d.export.onnx_model import OPSET, onnx_bytes, package_versions
from t3d.export.parts import HEAD, MAIN, Part, parts_of
from t3d.export.program import export_program
from t3d.export.record import RECORD_NAME
from t3d.export.session import OnnxSession
from t3d.export.trained import read_trained, windows_of
from t3d.files import json_bytes, refuse_existing, sha256
from t3d.weights.record import new_record

logger = logging.getLogger(__name__)

# model.pt2 and head.pt2 are of version 0.1.0, which wrote them beside the ONNX files
_NAMES = (*(name + ending for name in (MAIN, HEAD) for ending in (".onnx", ".pt2")), RECORD_NAME)


def export_bundle(
    bundle_root: str,
    *,
    out_dir: str,
    ckpt_dir: str | None = None,
    image: str | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Export the trained network of a bundle; nothing is written unless it does what the network does.

    Args:
        bundle_root: folder of the bundle.
        out_dir: folder for ``model.onnx`` (segmentation apart also ``head.onnx``) and ``export.json``.
        ckpt_dir: folder with ``model.pt``; the bundle's ``models`` if not given.
        image: a CT whose windows are compared too, beside made-up ones.
        overwrite: replace an earlier export.

    Returns:
        The content of ``export.json``.

    Raises:
        T3DError: no weights, missing packages, an earlier export, or too large a difference.
    """
    folder = Path(out_dir)
    versions = {"t3d": t3d.__version__, "monai": monai.__version__, "torch": torch.__version__}
    versions |= {"python": platform.python_version(), **package_versions()}
    there = [path for path in (folder / name for name in _NAMES) if path.exists()]
    refuse_existing(there, overwrite=overwrite, option="--out_dir")
    trained = read_trained(bundle_root, ckpt_dir=ckpt_dir)
    crop_size = trained.settings["preprocessing"]["crop_size"]
    windows = None if image is None else windows_of(trained.prepare(str(image)), crop_size=crop_size)

    contents: dict[str, bytes] = {}
    signatures: dict[str, dict] = {}
    checks: dict[str, list[dict]] = {}
    for part in parts_of(trained.network, crop_size=crop_size):
        logger.info("exporting %s of %s", part.name, Path(bundle_root).resolve().name)
        name, content = f"{part.name}.onnx", onnx_bytes(export_program(part), part)
        found = compare(part, OnnxSession(content), ct=windows)
        worst = must_be_small(found, file=name)
        logger.info("%s: %.1f MB, %s", name, len(content) / 1e6, _sentence(worst))
        contents[name], checks[name] = content, as_record(found)
        signatures[part.name] = _signature(part)
    more = {
        "bundle": Path(bundle_root).resolve().name,
        "weights": trained.weights,
        "signatures": signatures,
        **trained.settings,
        "opset": OPSET,
        "versions": versions,
        "check": {"tolerance": TOLERANCE, "on_a_ct": windows is not None, "files": checks},
    }
    hashes = {name: sha256(content) for name, content in contents.items()}
    record = new_record("export", files=hashes, record=more)
    files = {**contents, RECORD_NAME: json_bytes(record)}
    write_atomically({folder / name: content for name, content in files.items()})
    for path in there:
        if path.name not in files:
            path.unlink()  # of the earlier export's weights
    logger.info("wrote %s to %s", ", ".join(files), folder)
    return record


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
