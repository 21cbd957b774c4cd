"""The gauges: does the network look, does it read, has it collapsed? Controls that are part of the product."""

import logging
from collections import defaultdict
from collections.abc import Sequence

import ignite.distributed as idist
import numpy as np
import torch
from ignite.engine import Engine, Events
from torch import Tensor

from t3d.evaluate.region_gauges import Regions, summarise_regions
from t3d.evaluate.sentence_gauges import summarise_kinds
from t3d.metrics.intervals import bootstrap_mean

logger = logging.getLogger(__name__)

# gauge -> value per case that it is the mean of; a recipe without a task lacks its gauges
NAMES = {
    "tic_accuracy": "hit",
    "tic_loss": "tic_loss",
    "tic_loss_excess": "tic_excess",
    "tic_shortcut": "shortcut_hit",
    "tic_histogram": "histogram_hit",
    "text_gain_contrast": "contrast_gain",
    "text_gain_contrast_hard": "contrast_gain_hard",
    "text_gain_restoration": "restoration_gain",
    "restoration_error": "error",
    "restoration_error_corrupted": "error_corrupted",
    "restoration_error_body": "error_body",
    "corrupted_input_error": "input_error",
    "sentence_accuracy": "sentence_hit",
    "sentence_chance": "sentence_chance",
}


class Gauges:
    """Collects what ``MeasureGauges`` measured and leaves the gauges in ``engine.state.metrics``.

    All numbers, with 95 % intervals from resampling patients, stand in ``engine.state.gauges``.

    Args:
        regions: as ``MeasureGauges`` has them.
    """

    def __init__(self, *, regions: Regions | None = None) -> None:
        self.regions = [] if regions is None else regions.names
        self.values: dict[str, list[Tensor]] = defaultdict(list)

    def attach(self, engine: Engine) -> None:
        """Attach to the evaluator, before whatever reads its metrics."""
        engine.add_event_handler(Events.EPOCH_STARTED, lambda _: self.values.clear())
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.collect)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.compute)

    def collect(self, engine: Engine) -> None:
        """Keep one batch."""
        for name, value in engine.state.output.items():
            self.values[name].append(value.detach())
        self.batch_size = engine.state.output["case"].shape[0]

    def compute(self, engine: Engine) -> None:
        """Compute the gauges over all processes."""
        values = {name: idist.all_gather(torch.cat(parts)).cpu() for name, parts in self.values.items()}
        engine.state.gauges = summarise(values, batch_size=self.batch_size, regions=self.regions)
        engine.state.metrics.update(
            {name: value for name, value in engine.state.gauges.items() if isinstance(value, float)}
        )


def summarise(values: dict[str, Tensor], *, batch_size: int, regions: Sequence[str] = ()) -> dict:
    """Gauges from values per case: a dict of numbers and of 95 % intervals (``NAME_interval``).

    Beside them ``sentence_kinds`` and ``restoration_regions`` (of the names ``regions``), dicts of the same, or None.
    """
    patients = values["patient"].numpy()
    gauges: dict = {"tic_chance": _mean(values["tic_chance"]) if "tic_chance" in values else 1 / batch_size}
    for name, key in NAMES.items():
        if key in values:
            mean, interval = bootstrap_mean(values[key].double().numpy(), patients)
            gauges |= {name: mean, f"{name}_interval": interval}
        else:
            gauges |= {name: None, f"{name}_interval": None}
    gauges["sentence_kinds"] = summarise_kinds(values)
    gauges["restoration_regions"] = summarise_regions(values, regions)
    gauges["effective_rank"] = effective_rank(values["volume"])
    gauges["embedding_width"] = values["volume"].shape[1]
    gauges["batch_size"] = batch_size
    gauges["cases"] = len(np.unique(values["case"].numpy()))
    gauges["draws"] = len(patients)
    return gauges


def _mean(values: Tensor) -> float:
    return float(values.double().nanmean())


def effective_rank(embeddings: Tensor) -> float:
    """exp of the entropy of the normalised singular values of centred embeddings (N, D) (Roy & Vetterli 2007).

    1 is a complete collapse onto a line, min(N - 1, D) an even spread. MONAI's EmbeddingCollapseMetric (1.6 on)
    scores sum / max of the singular values instead, which one large value dominates, and 1.5 has none; hence ours.
    """
    centred = embeddings.double() - embeddings.double().mean(dim=0)
    singular = torch.linalg.svdvals(centred)
    share = singular / singular.sum().clamp_min(1e-12)
    return float(torch.exp(-(share * share.clamp_min(1e-12).log()).sum()))
