"""What training leaves behind for the other stages."""

import logging
from pathlib import Path

import ignite.distributed as idist
from ignite.engine import Engine, Events
from torch import nn

from t3d.weights import save_encoder, save_network

logger = logging.getLogger(__name__)


class HandOver:
    """Writes ``model.pt``, ``encoder.pt``, ``encoder.safetensors`` and ``encoder.json`` at the end of training.

    Args:
        ckpt_dir: folder for the files.
        network: trained network.
        record: goes into ``encoder.json``: ``network`` and ``preprocessing`` numbers.
    """

    def __init__(self, *, ckpt_dir: str, network: nn.Module, record: dict) -> None:
        self.folder = Path(ckpt_dir)
        self.network = network
        self.record = record

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer."""
        engine.add_event_handler(Events.COMPLETED, self.write)

    def write(self, engine: Engine) -> None:
        """Write the files on the first process."""
        if idist.get_rank() != 0:
            return
        save_network(self.network, self.folder / "model.pt")
        save_encoder(self.network, self.folder, record=self.record)
        logger.info("wrote model.pt, encoder.pt, encoder.safetensors and encoder.json to %s", self.folder)
