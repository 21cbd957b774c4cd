"""The labels of a trained model as MONAI Label and its clients understand them."""

from collections.abc import Mapping
from typing import Any

from t3d.data.label_table import BACKGROUND, class_values
from t3d.errors import T3DError


def served_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """``model.json`` with label values 0, 1, 2, .. in the order of the network's channels.

    3D Slicer numbers the segments it saves 1, 2, 3, .. in the order of the server's labels, whatever the label table
    of the training was, so a served model must write and read these values.

    Args:
        record: content of ``model.json``; without ``labels`` (a classifier) it is returned as it is.
    """
    if "labels" not in record:
        return dict(record)
    names = class_values(record["labels"], source="labels of model.json")
    return {**record, "labels": {name: value for value, name in enumerate(names)}}


def served_metadata(metadata: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """``metadata.json`` with the channels of a trained model; MONAI Label reads its labels from there.

    Args:
        metadata: of the bundle.
        record: content of ``model.json`` with ``labels`` or ``findings``.

    Raises:
        T3DError: two labels that differ in upper and lower case only, which MONAI Label would make one; or a record
            without labels and findings.
    """
    if "labels" in record:
        names = list(class_values(record["labels"], source="labels of model.json"))
        described = {"label_classes": "single channel data, " + _listed(names)}
    elif "findings" in record:
        names, described = list(record["findings"]), {}
    else:
        raise T3DError("model.json has neither labels nor findings; train the model again with this version of t3d")
    lowered = [name.lower() for name in names]
    twice = sorted({name for name in lowered if lowered.count(name) > 1})
    if twice:
        raise T3DError(f"labels {', '.join(twice)} differ in upper and lower case only; MONAI Label cannot tell them")
    data_format = metadata["network_data_format"]
    pred = {
        **data_format["outputs"]["pred"],
        "num_channels": len(names),
        "channel_def": {str(place): name for place, name in enumerate(names)},
    }
    return {**metadata, **described, "network_data_format": {**data_format, "outputs": {"pred": pred}}}


def _listed(names: list[str]) -> str:
    return ", ".join(f"{place} {name}" for place, name in enumerate(names) if name != BACKGROUND)
