"""The weights that a training left, in the network that is to use them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from t3d.weights.hand_over import load_network
from t3d.weights.record import ENCODER, MODEL, compare_preprocessing, describes, read_record

# what may stand beside a model.pt -> of which kinds of weights it speaks
RECORDS = {"model.json": MODEL, "encoder.json": ENCODER}


def load_model(
    network: nn.Module,
    path: str | Path,
    *,
    preprocessing: Mapping[str, Any] | None = None,
    ignore_preprocessing: bool = False,
) -> nn.Module:
    """Load a fine-tuned model strictly, where ``model.json`` beside it does not contradict it.

    Weights of another training fit the network as well, and would speak under this record's labels, spacing and
    thresholds. A file that the record does not name (a checkpoint, weights from elsewhere) and one without a record
    are not compared.

    Args:
        network: the network to fill.
        path: a .pt or .safetensors file, see ``load_network``.
        preprocessing: how images are prepared now (``spacing``, ``orientation``, ``hu_range`` ..), which must be what
            the record beside the file says, whichever file it speaks of; None is not compared.
        ignore_preprocessing: log a difference instead of raising.

    Returns:
        The network.

    Raises:
        T3DError: no checkpoint, one of another architecture, other bytes than the record says, or images that are
            prepared otherwise.
    """
    _check(Path(path), "model.json", preprocessing, ignore=ignore_preprocessing)
    return load_network(network, path)


def load_pretrained(
    network: nn.Module,
    path: str | Path,
    *,
    preprocessing: Mapping[str, Any] | None = None,
    ignore_preprocessing: bool = False,
) -> nn.Module:
    """The same for a whole pre-training network, beside whose weights ``encoder.json`` stands."""
    _check(Path(path), "encoder.json", preprocessing, ignore=ignore_preprocessing)
    return load_network(network, path)


def _check(path: Path, name: str, preprocessing: Mapping[str, Any] | None, *, ignore: bool) -> None:
    beside = path.with_name(name)
    record = read_record(beside, kinds=RECORDS[name]) if path.is_file() and beside.is_file() else None
    if record is not None:
        describes(record, path, name=name)
    if preprocessing is not None:
        compare_preprocessing(record, preprocessing, path=path, ignore=ignore)
