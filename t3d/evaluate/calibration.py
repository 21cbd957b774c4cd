"""The last step of a classification training: operating points of the model that it leaves."""

from collections.abc import Sequence, Sized
from typing import cast

from monai.engines import SupervisedEvaluator
from torch import nn

from t3d.evaluate.thresholds import StoreThresholds
from t3d.weights import load_network


def calibrate(network: nn.Module, *, weights: str, findings: Sequence[str], evaluator: SupervisedEvaluator) -> None:
    """Load the weights that the training left, and choose thresholds for them on the validation list.

    Args:
        network: the one that ``evaluator`` measures; it keeps these weights.
        weights: ``model.pt``; ``thresholds.json`` is written beside it.
        findings: F names.
        evaluator: of the training's validation, whose cases, inferer and precision are taken, not its handlers, which
            choose the best model. Without cases nothing is chosen.
    """
    load_network(network, weights)
    if not len(cast(Sized, evaluator.data_loader)):  # MONAI types a loader as any iterable
        return
    SupervisedEvaluator(
        device=evaluator.state.device,
        val_data_loader=evaluator.data_loader,
        network=evaluator.network,
        inferer=evaluator.inferer,
        prepare_batch=evaluator.prepare_batch,
        val_handlers=[StoreThresholds(weights=weights, findings=findings)],
        amp=evaluator.amp,
        amp_kwargs=evaluator.amp_kwargs,
        decollate=False,
    ).run()
