"""Weights on their way between stages, with the records beside them that say where they come from."""

from t3d.weights.hand_over import (
    encoder_state,
    load_encoder,
    load_network,
    read_encoder,
    save_encoder,
    save_network,
    unwrapped,
)

__all__ = [
    "encoder_state",
    "load_encoder",
    "load_network",
    "read_encoder",
    "save_encoder",
    "save_network",
    "unwrapped",
]
