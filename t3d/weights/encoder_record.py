"""encoder.json: what stands beside saved encoder weights, so that nobody must guess where they come from."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from t3d.errors import T3DError
from t3d.weights.architecture import architecture
from t3d.weights.record import ENCODER, describes, new_record, read_record, same_value, settings_of

logger = logging.getLogger(__name__)

RECORD_NAME = "encoder.json"


def make_record(state: Mapping[str, Tensor], *, files: Mapping[str, str], record: Mapping[str, Any]) -> dict:
    """Build the content of ``encoder.json``.

    Args:
        state: the encoder's tensors, ``swinViT.*``.
        files: file name -> SHA-256.
        record: what the training adds, see ``t3d.weights.record.new_record``; ``network`` are settings beyond those
            that the weights tell.

    Raises:
        T3DError: ``record["network"]`` contradicts the shapes of the weights.
    """
    network = network_settings(state, record.get("network", {}))
    counts = {
        "tensors": len(state),
        "parameters": sum(tensor.numel() for tensor in state.values() if tensor.is_floating_point()),
    }
    return new_record("encoder", files=files, record={**counts, **record, "network": network})


def network_settings(state: Mapping[str, Tensor], given: Mapping[str, Any]) -> dict[str, Any]:
    """What weights tell of the encoder that they belong to, and the given settings beyond that.

    Args:
        state: tensors of a network or of its encoder, under MONAI's names.
        given: settings by name.

    Raises:
        T3DError: a given setting contradicts the shapes of the weights.
    """
    network = architecture(state)
    for key, value in given.items():
        if key in network and not same_value(network[key], value):
            raise T3DError(
                f"the record says {key} {value}, but the weights have {network[key]}; "
                f"pass the {key} that the network was built with."
            )
        network.setdefault(key, value)
    return network


def verified_record(path: Path) -> dict | None:
    """Return the record that stands beside a weights file, or None when none speaks of this file.

    Raises:
        T3DError: the record cannot be read, or the file is not the one it was written for.
    """
    record = _record_in(path.parent)
    return record if record is not None and describes(record, path, name=RECORD_NAME) else None


def recorded_settings(folder: str | Path) -> dict[str, Any]:
    """Return the network, preprocessing and text settings of a folder's ``encoder.json``, in one dict.

    Inference takes its settings from here, so that it matches whatever was trained. Without a record it is
    empty: the configuration's own defaults hold.

    Raises:
        T3DError: the record cannot be read.
    """
    record = _record_in(Path(folder))
    if record is None:
        logger.info("no %s in %s: the defaults of the full-size recipe hold", RECORD_NAME, folder)
        return {}
    # the one number of the recipe that inference needs: what zero-shot scores divide their cosines by
    temperature = {key: value for key, value in record.get("recipe", {}).items() if key == "temperature"}
    return {**settings_of(record), **temperature}


def _record_in(folder: Path) -> dict | None:
    path = folder / RECORD_NAME
    return read_record(path, kinds=ENCODER) if path.is_file() else None
