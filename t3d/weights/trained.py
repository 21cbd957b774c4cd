"""The weights that a training left, in the network that is to use them."""

from pathlib import Path

from torch import nn

from t3d.weights.hand_over import load_network
from t3d.weights.record import ENCODER, MODEL, describes, read_record

# what may stand beside a model.pt -> of which kinds of weights it speaks
RECORDS = {"model.json": MODEL, "encoder.json": ENCODER}


def load_model(network: nn.Module, path: str | Path) -> nn.Module:
    """Load a fine-tuned model strictly, where ``model.json`` beside it does not contradict it.

    Weights of another training fit the network as well, and would speak under this record's labels, spacing and
    thresholds. A file that the record does not name (a checkpoint, weights from elsewhere) and one without a record
    are not compared.

    Args:
        network: the network to fill.
        path: a .pt or .safetensors file, see ``load_network``.

    Returns:
        The network.

    Raises:
        T3DError: no checkpoint, one of another architecture, or other bytes than the record says.
    """
    return _load(network, Path(path), "model.json")


def load_pretrained(network: nn.Module, path: str | Path) -> nn.Module:
    """The same for a whole pre-training network, beside whose weights ``encoder.json`` stands."""
    return _load(network, Path(path), "encoder.json")


def _load(network: nn.Module, path: Path, record: str) -> nn.Module:
    beside = path.with_name(record)
    if path.is_file() and beside.is_file():
        describes(read_record(beside, kinds=RECORDS[record]), path, name=record)
    return load_network(network, path)
