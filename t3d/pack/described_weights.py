"""metadata.json of a package, saying what the network in it gives."""

import json
from collections.abc import Mapping
from typing import Any

BACKGROUND = "background"


def described_weights(metadata: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata whose output has the channels of the packed weights.

    A bundle's own metadata describe its defaults (BTCV's organs, the phantoms' findings); a model that was trained on
    another label table, on other findings or with another width would contradict them, and MONAI Label would show the
    wrong names.

    Args:
        metadata: content of the bundle's ``metadata.json``.
        record: content of ``model.json`` or ``encoder.json``.
    """
    if "labels" in record:
        names = [BACKGROUND, *(name for name in record["labels"] if name != BACKGROUND)]
        more = {"label_classes": f"single channel data, values of the label table {json.dumps(record['labels'])}"}
    elif "findings" in record:
        names, more = list(record["findings"]), {}
    else:
        names, more = None, {}
    pred = dict(metadata["network_data_format"]["outputs"]["pred"])
    if names is not None:
        pred["channel_def"] = {str(place): name for place, name in enumerate(names)}
        pred["num_channels"] = len(names)
    else:
        pred["num_channels"] = record.get("network", {}).get("embedding_width", pred["num_channels"])
    outputs = {**metadata["network_data_format"]["outputs"], "pred": pred}
    return {**metadata, **more, "network_data_format": {**metadata["network_data_format"], "outputs": outputs}}
