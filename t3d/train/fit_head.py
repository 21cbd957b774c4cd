"""Where the training of a classifier begins that reads all tokens: a logistic regression on its pooled features."""

import logging
import math
from collections.abc import Sized
from typing import cast

import ignite.distributed as idist
import torch
from ignite.engine import Events
from monai.engines import SupervisedEvaluator
from monai.utils import convert_to_tensor
from torch import Tensor, nn

from t3d.errors import T3DError
from t3d.networks.volume_classifier import VolumeClassifier
from t3d.train.logistic_regression import fit_linear
from t3d.train.trainer import GuardedTrainer
from t3d.weights import unwrapped

logger = logging.getLogger(__name__)

# AUROC on phantoms is flat from 3e-6 to 1e-4 and falls above, with 50 labels and with 200; the held-out loss would
# choose 3e-2, because it punishes scores that are too sure, which calibration mends afterwards
DECAY = 3e-5


STATISTICS = ("measured", "batch")


def head_rates(network: nn.Module, *, statistics: str) -> dict[str, float]:
    """By what the learning rate of the layer is multiplied, for ``t3d.train.fine_tuning.parameter_groups``.

    With ``batch`` the root of the number of its features, which divides them: so a step of AdamW moves a logit as far
    at every width. With ``measured``, where the layer was fitted, it learns as the rest.

    Args:
        network: the one that is trained.
        statistics: of ``FitHead``.
    """
    if statistics != "batch" or not isinstance(network, VolumeClassifier) or network.tokens is None:
        return {}
    return {"tokens.linear.": math.sqrt(network.feature_width)}


class FitHead:
    """Before the first step, standardises the features and fits the linear layer to the training cases (ours).

    One pass over an epoch's batches, as training draws them, without gradients; then an L2-regularised logistic
    regression with the training's own loss. A few labels settle a layer of a
    thousand features this way, which many small steps do not; and an encoder that is trained on is not spoilt by the
    gradients of a random layer (Kumar et al. 2022, arXiv 2202.10054). Nothing is done where the network pools by
    attention, or was fitted before: on resuming, in a later round of a federation, on the corrections of annotators.

    An encoder that is trained from scratch moves far from the features that the layer was fitted to, and a fit that is
    sure of random features then drives the loss up (measured: to 92 in one epoch). There ``fit`` is to be False, and
    the statistics those of the batch.

    Args:
        network: the one that is trained; DistributedDataParallel is looked through.
        fit: False standardises the features and leaves the layer at zero.
        statistics: that standardise the features in training: "measured" once, or those of each "batch"
            (``TokenHead``).
        validator: run once after the fit, where it has cases, so that a training that only makes the fit worse does
            not hide it: the best model may be the one that it began with.

    Raises:
        T3DError: unknown ``statistics``.
    """

    def __init__(
        self,
        *,
        network: nn.Module,
        fit: bool = True,
        statistics: str = "measured",
        validator: SupervisedEvaluator | None = None,
    ) -> None:
        if statistics not in STATISTICS:
            raise T3DError(f"head_statistics {statistics!r} is unknown; choose one of {', '.join(STATISTICS)}")
        self.by_batch = statistics == "batch"
        self.network = network
        self.fitted = fit
        self.validator = validator

    def attach(self, engine: GuardedTrainer) -> None:
        """Attach to the trainer, after the training state, which loads what was fitted before."""
        engine.add_event_handler(Events.STARTED, self.start)

    def start(self, engine: GuardedTrainer) -> None:
        """Standardise and fit, on all processes alike."""
        network = unwrapped(self.network)
        if not isinstance(network, VolumeClassifier) or network.tokens is None:
            return
        head = network.tokens
        head.by_batch = self.by_batch
        if head.cases > 0:
            return
        pooled, labels = self._features(engine, network)
        head.measure(pooled)
        if not self.fitted:
            logger.info("linear layer: from zero, on %d features of %d cases", pooled.shape[1], len(pooled))
            return
        features = head.standardised(pooled).double()
        weight, bias = fit_linear(features, labels, loss=engine.loss_function, decay=DECAY)
        with torch.no_grad():
            head.linear.weight.copy_(weight)
            head.linear.bias.copy_(bias)
        logger.info("linear layer: logistic regression on %d features of %d cases", *reversed(features.shape))
        if self.validator is not None and len(cast(Sized, self.validator.data_loader)):
            self.validator.run()

    def _features(self, engine: GuardedTrainer, network: VolumeClassifier) -> tuple[Tensor, Tensor]:
        training = network.training
        network.eval()
        found, known = [], []
        with torch.no_grad():
            for batch in engine.data_loader:
                inputs, targets, _, extra = engine.prepare_batch(batch, engine.state.device, engine.non_blocking)
                with torch.autocast(inputs.device.type, enabled=engine.amp, **engine.amp_kwargs):
                    found.append(network.pooled(inputs, **extra).float())
                known.append(convert_to_tensor(targets, track_meta=False))
        network.train(training)
        return tuple(idist.all_gather(torch.cat(parts)) for parts in (found, known))
