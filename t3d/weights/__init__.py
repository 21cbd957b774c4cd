"""Weights on their way between stages, with the records beside them that say where they come from."""

from t3d.weights.hand_over import (
    encoder_state,
    load_encoder,
    load_network,
    network_bytes,
    read_encoder,
    save_encoder,
    save_network,
    unwrapped,
)
from t3d.weights.trained import load_model, load_pretrained

__all__ = [
    "encoder_state",
    "load_encoder",
    "load_model",
    "load_network",
    "load_pretrained",
    "network_bytes",
    "read_encoder",
    "save_encoder",
    "save_network",
    "unwrapped",
]
