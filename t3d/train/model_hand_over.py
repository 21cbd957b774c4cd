"""What training leaves behind for the other stages: an encoder, or a model to use, with a record of it."""

import logging
from abc import ABC, abstractmethod
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
from t3d.weights import network_bytes, save_encoder, unwrapped
from t3d.weights.encoder_record import network_settings
from t3d.weights.model_record import RECORD_NAME
from t3d.weights.record import model_kind, new_record

logger = logging.getLogger(__name__)


def amp_dtype(engine: Engine) -> str | None:
    """What a MONAI trainer autocasts to, such as "bfloat16"; None where it computes in full precision."""
    if not getattr(engine, "amp", False):
        return None
    return str(engine.amp_kwargs.get("dtype", torch.float16)).removeprefix("torch.")  # CUDA's own default


class _AtTheEnd(ABC):
    """What both kinds of hand-over share: finite weights, one process, the folder, the end of training.

    Args:
        ckpt_dir: folder for the files.
        network: trained network (looked through DistributedDataParallel).
        record: what the training knows for the record beside the weights; as ``network`` the settings that the
            weights of the encoder do not tell. An entry may be a function, which is asked at the end.
    """

    def __init__(self, *, ckpt_dir: str, network: nn.Module, record: Mapping[str, Any]) -> None:
        self.folder = Path(ckpt_dir)
        self.network = network
        self.record = record

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer, after the training state."""
        engine.add_event_handler(Events.COMPLETED, self.write)

    def write(self, engine: Engine) -> None:
        """Write the files on the first process, the record last; weights that are not finite raise a T3DError."""
        check_finite_weights(self.network, checkpoints=self.folder)
        if idist.get_rank() == 0:
            known = {name: entry() if callable(entry) else entry for name, entry in self.record.items()}
            names = self.files(engine, {"amp_dtype": amp_dtype(engine), **known})
            logger.info("wrote %s to %s", names, self.folder)

    @abstractmethod
    def files(self, engine: Engine, record: Mapping[str, Any]) -> str:
        """Write the files with this record, and say in words which."""


class HandOver(_AtTheEnd):
    """Writes ``model.pt``, ``encoder.pt``, ``encoder.safetensors`` and ``encoder.json`` at the end of training.

    Args:
        ckpt_dir, network, record: see above; ``record`` has ``network`` and ``preprocessing`` numbers.
    """

    def files(self, engine: Engine, record: Mapping[str, Any]) -> str:
        """The whole network, and its encoder in the two forms that others read."""
        save_encoder(self.network, self.folder, record=record, beside={"model.pt": network_bytes(self.network)})
        return "model.pt, encoder.pt, encoder.safetensors and encoder.json"


class ModelHandOver(_AtTheEnd):
    """Writes ``model.pt``, ``model_last.pt`` and ``model.json`` at the end of training.

    ``model.pt`` is a plain state dict: the best on validation, or the last where nothing was validated.

    Args:
        ckpt_dir, network, record: see above; ``record`` has ``network``, ``preprocessing``, ``recipe``, and ``labels``
            or ``findings``.
        best: the handler that kept ``model_best.pt``, if there was validation.
    """

    def __init__(
        self, *, ckpt_dir: str, network: nn.Module, record: Mapping[str, Any], best: BestModel | None = None
    ) -> None:
        super().__init__(ckpt_dir=ckpt_dir, network=network, record=record)
        self.best = best

    def files(self, engine: Engine, record: Mapping[str, Any]) -> str:
        """The model to use, and the last one beside it.

        Raises:
            T3DError: the best one was deleted.
        """
        last = network_bytes(self.network)
        best = self.best if self.best is not None and self.best.value is not None else None
        contents = {"model.pt": last if best is None else best.read(), "model_last.pt": last}
        which = "last" if best is None else "best"
        chosen = {"model": which, "epochs": engine.state.epoch}
        if best is not None:
            chosen["best"] = best.state_dict()
        hashes = {name: sha256(content) for name, content in contents.items()}
        network = network_settings(unwrapped(self.network).state_dict(), record.get("network", {}))
        made = new_record(model_kind(record), files=hashes, record={**chosen, **record, "network": network})
        contents[RECORD_NAME] = json_bytes(made)
        write_atomically({self.folder / name: data for name, data in contents.items()})
        return f"model.pt (the {which}), model_last.pt and {RECORD_NAME}"
