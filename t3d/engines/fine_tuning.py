"""How a downstream training begins: from a pre-trained encoder, or from scratch, and never silently so."""

import logging
from collections.abc import Mapping
from typing import Any

from ignite.engine import Engine, Events
from torch import nn

from t3d.errors import T3DError
from t3d.weights import load_encoder, unwrapped

logger = logging.getLogger(__name__)


def start_encoder(
    network: nn.Module,
    encoder_weights: str | None,
    *,
    preprocessing: Mapping[str, Any],
    ignore_preprocessing: bool = False,
) -> None:
    """Load a pre-trained encoder, whole and loud, or say that there is none.

    Args:
        network: any network with ``swinViT``, such as MONAI's SwinUNETR.
        encoder_weights: file that ``t3d.weights.load_encoder`` takes; None or "" trains from scratch.
        preprocessing: this run's ``spacing``, ``orientation`` and ``hu_range``, which must be the encoder's.
        ignore_preprocessing: log a difference instead of raising.

    Raises:
        T3DError: the file does not fit the network, or its images were prepared otherwise.
    """
    if not encoder_weights:
        logger.info("no encoder_weights: training starts from scratch")
        return
    load_encoder(
        network,
        encoder_weights,
        check_preprocessing=preprocessing,
        ignore_preprocessing=ignore_preprocessing,
    )


class FreezeEncoder:
    """Keeps the encoder as it is for the first epochs, so that a new decoder does not spoil it (ours).

    Frozen means no gradients and, for dropout and the like, evaluation mode. Which epochs are frozen depends on the
    epoch's number alone, so a resumed run freezes and thaws where an undisturbed one does. DistributedDataParallel
    needs ``find_unused_parameters`` with it.

    Args:
        network: has ``swinViT``; DistributedDataParallel is looked through.
        epochs: 0 freezes never; at least ``max_epochs`` freezes always.
    """

    def __init__(self, *, network: nn.Module, epochs: int) -> None:
        if epochs < 0:
            raise T3DError(f"freeze_epochs {epochs} must be 0 or more")
        self.encoder = unwrapped(network).swinViT
        self.epochs = epochs

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer."""
        if self.epochs:
            engine.add_event_handler(Events.EPOCH_STARTED, self.set)
            self.encoder.register_forward_pre_hook(self._keep_still)

    def set(self, engine: Engine) -> None:
        """Freeze or thaw at the start of an epoch."""
        frozen = engine.state.epoch <= self.epochs
        if frozen == self.encoder.patch_embed.proj.weight.requires_grad:
            logger.info("epoch %d: encoder %s", engine.state.epoch, "frozen" if frozen else "trained from here")
        self.encoder.requires_grad_(not frozen)
        if frozen:
            for parameter in self.encoder.parameters():
                parameter.grad = None  # a stale gradient would still be stepped on

    def _keep_still(self, encoder: nn.Module, inputs: tuple) -> None:
        # MONAI's trainer calls network.train() before every pass, which would switch dropout on again
        if not encoder.patch_embed.proj.weight.requires_grad:
            encoder.eval()
