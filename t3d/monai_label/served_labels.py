"""The labels of a trained model as MONAI Label and its clients understand them."""

from collections.abc import Mapping
from typing import Any

from t3d.errors import T3DError
from t3d.pack.described_weights import described_weights
from t3d.volume.label_table import class_values


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
    if "labels" not in record and "findings" not in record:
        raise T3DError("model.json has neither labels nor findings; train the model again with this version of t3d")
    served = served_record(record)
    lowered = [name.lower() for name in served.get("labels") or served["findings"]]
    twice = sorted({name for name in lowered if lowered.count(name) > 1})
    if twice:
        raise T3DError(f"labels {', '.join(twice)} differ in upper and lower case only; MONAI Label cannot tell them")
    return described_weights(metadata, served)
