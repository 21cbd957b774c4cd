"""How a pre-trained encoder is fine-tuned: its start (never silently from scratch), learning rates, freezing."""

import logging
from collections.abc import Mapping
from typing import Any

from ignite.engine import Engine, Events
from torch import nn

from t3d.errors import T3DError
from t3d.networks.encoders import BACKBONES, Backbone, backbone_of
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
        network: any network with an encoder of ``t3d.networks.encoders``, such as MONAI's SwinUNETR or SegResNetDS.
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


def parameter_groups(
    network: nn.Module,
    *,
    learning_rate: float,
    layer_decay: float,
    weight_decay: float,
    rates: Mapping[str, float] | None = None,
) -> list[dict]:
    """Group a network's parameters for an optimizer (recipe of BEiT and MAE fine-tuning, by stage instead of block).

    What lies outside the encoder learns with ``learning_rate``, stage s of 1 to S with
    ``learning_rate * layer_decay ** (S + 1 - s)``, what lies below the first stage (Swin's patch embedding, the first
    convolution of SegRes) with ``learning_rate * layer_decay ** (S + 1)``. S is 4 for Swin and 5 for SegRes, fewer
    where its stem leaves out stages.

    Args:
        network: has an encoder of ``t3d.networks.encoders``; DistributedDataParallel is looked through.
        learning_rate: of the new parts.
        layer_decay: in (0, 1]; 1 gives all parts the same rate.
        weight_decay: of all groups.
        rates: beginnings of names outside the encoder, and by what their rate is multiplied.

    Returns:
        Groups ``{"params", "lr", "weight_decay"}`` from slow to fast, frozen parameters included (they may thaw).

    Raises:
        T3DError: ``layer_decay`` outside (0, 1], or a network without an encoder.
    """
    if not 0 < layer_decay <= 1:
        raise T3DError(f"layer_decay {layer_decay} must be above 0 and at most 1; 0.7 to 0.9 are usual, 1 is off")
    network = unwrapped(network)
    backbone, encoder = _encoder_of(network, "layer_decay")
    top = 1 + max(backbone.depth(name) for name, _ in encoder.named_parameters())
    places: dict[tuple[int, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        inside = name.startswith(backbone.prefix)
        depth = backbone.depth(name.removeprefix(backbone.prefix)) if inside else top
        factor = next((rate for start, rate in (rates or {}).items() if not inside and name.startswith(start)), 1.0)
        places.setdefault((depth, factor), []).append(parameter)
    return [
        {
            "params": places[depth, factor],
            "lr": learning_rate * layer_decay ** (top - depth) * factor,
            "weight_decay": weight_decay,
        }
        for depth, factor in sorted(places)
    ]


class FreezeEncoder:
    """Keeps the encoder as it is for the first epochs, so that a new decoder does not spoil it (ours).

    Frozen means no gradients and evaluation mode: no dropout, and running statistics of batch norms stay. Which epochs
    are frozen depends on the epoch's number alone, so a resumed run freezes and thaws where an undisturbed one does.
    DistributedDataParallel needs ``find_unused_parameters`` with it.

    Args:
        network: has an encoder of ``t3d.networks.encoders``; DistributedDataParallel is looked through.
        epochs: 0 freezes never; at least ``max_epochs`` freezes always.

    Raises:
        T3DError: negative epochs, or a network without an encoder.
    """

    def __init__(self, *, network: nn.Module, epochs: int) -> None:
        if epochs < 0:
            raise T3DError(f"freeze_epochs {epochs} must be 0 or more")
        _, self.encoder = _encoder_of(unwrapped(network), "freeze_epochs")
        self.epochs = epochs

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer."""
        if self.epochs:
            engine.add_event_handler(Events.EPOCH_STARTED, self.set)
            self.encoder.register_forward_pre_hook(self._keep_still)

    def set(self, engine: Engine) -> None:
        """Freeze or thaw at the start of an epoch."""
        frozen = engine.state.epoch <= self.epochs
        if frozen == _learns(self.encoder):
            logger.info("epoch %d: encoder %s", engine.state.epoch, "frozen" if frozen else "trained from here")
        self.encoder.requires_grad_(not frozen)
        if frozen:
            for parameter in self.encoder.parameters():
                parameter.grad = None  # a stale gradient would still be stepped on

    def _keep_still(self, encoder: nn.Module, inputs: tuple) -> None:
        # MONAI's trainer calls network.train() before every pass, which would switch dropout on again
        if not _learns(encoder):
            encoder.eval()


def _encoder_of(network: nn.Module, option: str) -> tuple[Backbone, nn.Module]:
    found = backbone_of(network)
    if found is None:
        names = " or ".join(backbone.attribute for backbone in BACKBONES.values())
        raise T3DError(f"{type(network).__name__} has no encoder named {names}: {option} does not apply to it")
    return found


def _learns(encoder: nn.Module) -> bool:
    return next(encoder.parameters()).requires_grad
