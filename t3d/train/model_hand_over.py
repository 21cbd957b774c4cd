"""What training leaves behind for the other stages: an encoder, or a model to use, with a record of it."""

import io
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from torch import nn

from t3d.atomic import write_atomically
from t3d.files import json_bytes, sha256
from t3d.train.best_model import BestModel
from t3d.train.finite_weights import check_finite_weights
from t3d.weights import save_encoder, save_network, unwrapped
from t3d.weights.encoder_record import network_settings
from t3d.weights.model_record import RECORD_NAME
from t3d.weights.record import model_kind, new_record

logger = logging.getLogger(__name__)


def amp_dtype(engine: Engine) -> str | None:
    """What a MONAI trainer autocasts to, such as "bfloat16"; None where it computes in full precision."""
    if not getattr(engine, "amp", False):
        return None
    return str(engine.amp_kwargs.get("dtype", torch.float16)).removeprefix("torch.")  # CUDA's own default


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
        """Write the files on the first process; weights that are not finite raise a T3DError."""
        check_finite_weights(self.network)
        if idist.get_rank() != 0:
            return
        save_network(self.network, self.folder / "model.pt")
        save_encoder(self.network, self.folder, record={"amp_dtype": amp_dtype(engine), **self.record})
        logger.info("wrote model.pt, encoder.pt, encoder.safetensors and encoder.json to %s", self.folder)


class ModelHandOver:
    """Writes ``model.pt``, ``model_last.pt`` and ``model.json`` at the end of training.

    ``model.pt`` is a plain state dict: the best on validation, or the last where nothing was validated.

    Args:
        ckpt_dir: folder for the files.
        network: trained network (looked through DistributedDataParallel).
        record: goes into ``model.json``: ``preprocessing``, ``recipe``, ``labels`` or ``findings``, and as ``network``
            the settings that the weights of the encoder do not tell.
        best: the handler that kept ``model_best.pt``, if there was validation.
    """

    def __init__(
        self, *, ckpt_dir: str, network: nn.Module, record: Mapping[str, Any], best: BestModel | None = None
    ) -> None:
        self.folder = Path(ckpt_dir)
        self.network = network
        self.record = record
        self.best = best

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer, after the training state."""
        engine.add_event_handler(Events.COMPLETED, self.write)

    def write(self, engine: Engine) -> None:
        """Write the files on the first process, the record last; weights that are not finite raise a T3DError."""
        check_finite_weights(self.network)
        if idist.get_rank() != 0:
            return
        buffer = io.BytesIO()
        state = {name: tensor.cpu() for name, tensor in unwrapped(self.network).state_dict().items()}
        torch.save(state, buffer)
        last = buffer.getvalue()
        best = self.best if self.best is not None and self.best.value is not None else None
        contents = {"model.pt": last if best is None else best.path.read_bytes(), "model_last.pt": last}
        more = {
            "model": "last" if best is None else "best",
            "epochs": engine.state.epoch,
            **({} if best is None else {"best": best.state_dict()}),
            "amp_dtype": amp_dtype(engine),
            **self.record,
            "network": network_settings(state, self.record.get("network", {})),
        }
        files = {name: sha256(content) for name, content in contents.items()}
        record = new_record(model_kind(self.record), files=files, record=more)
        contents[RECORD_NAME] = json_bytes(record)
        write_atomically({self.folder / name: data for name, data in contents.items()})
        logger.info("wrote model.pt (the %s), model_last.pt and %s to %s", record["model"], RECORD_NAME, self.folder)
