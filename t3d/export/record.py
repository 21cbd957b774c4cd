"""export.json: what stands beside exported networks, so that they can be used without the training's files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from t3d.errors import T3DError
from t3d.weights.encoder_record import RECORD_NAME as ENCODER_RECORD
from t3d.weights.record import ENCODER, EXPORT, MODEL, describes, read_record, same_value

RECORD_NAME = "export.json"


def read_export(onnx_file: str | Path, *, model_record: str | Path | None = None) -> dict[str, Any]:
    """The record beside an exported network, after comparing the files with it.

    Args:
        onnx_file: the exported network.
        model_record: ``model.json`` or ``encoder.json`` of a training; where it exists it must be of the same model.

    Returns:
        The content of ``export.json``.

    Raises:
        T3DError: a file is missing, damaged or of another export; or the export is of another model than the record.
    """
    onnx_file = Path(onnx_file)
    if not onnx_file.is_file():
        raise T3DError(f"there is no {onnx_file}; make it with t3d export, or give --onnx_file the file it wrote.")
    path = onnx_file.with_name(RECORD_NAME)
    record = read_record(path, kinds=EXPORT, remedy="export again", absent="copy the whole folder of the export")
    files = record["files"]
    if onnx_file.name not in files:
        raise T3DError(f"{path} speaks of {', '.join(files)}, not of {onnx_file.name}; choose one of these.")
    for file in map(onnx_file.with_name, files):
        # of an export of version 0.1.0 its .pt2 need not be copied along, but what is there must be what was exported
        if file.is_file():
            describes(record, file, name=RECORD_NAME)
    if model_record is not None and Path(model_record).is_file():
        _must_agree(record, Path(model_record), onnx_file)
    return record


def export_settings(onnx_file: str | Path, *, model_record: str | Path | None = None) -> dict[str, Any]:
    """``read_export``, with all settings of network and preprocessing in one dict."""
    record = read_export(onnx_file, model_record=model_record)
    return {**record, **record["network"], **record["preprocessing"]}


def must_be_exported(onnx_file: str | Path, **settings: Any) -> None:
    """Refuse a configuration that asks for other settings than those an exported network has.

    Args:
        onnx_file: the exported network.
        settings: name -> value in the configuration.

    Raises:
        T3DError: names the setting, both values and the file.
    """
    record = export_settings(onnx_file)
    for name, value in settings.items():
        if name in record and not same_value(record[name], value):
            raise T3DError(
                f"{onnx_file} was exported with {name} {record[name]}, the configuration says {value}: leave "
                f"--{name} out, or export a network that has it."
            )


def _must_agree(record: Mapping[str, Any], path: Path, onnx_file: Path) -> None:
    model = read_record(path, kinds=ENCODER if path.name == ENCODER_RECORD else MODEL)
    theirs, files = {**model["network"], **model["preprocessing"], **_names(model)}, model["files"]
    ours = {**record["network"], **record["preprocessing"], **_names(record)}
    different = [
        f"{key} {ours[key]} there, {theirs[key]} here"
        for key in ours
        if key in theirs and not same_value(ours[key], theirs[key])
    ]
    # up to 0.1 the pre-training's record named its encoder's files only, so there the settings must do
    other = [name for name, digest in record["weights"].items() if name in files and files[name] != digest]
    if different or other:
        what = "; ".join(different) or f"it has other weights ({', '.join(other)})"
        raise T3DError(
            f"{onnx_file} was exported from another model than {path} describes: {what}. Export this model "
            "(t3d export), or give --ckpt_dir the folder of the other."
        )


def _names(record: Mapping[str, Any]) -> dict[str, Any]:
    return {key: record[key] for key in ("labels", "findings") if key in record}
