"""The gauges: does the network look, does it read, has it collapsed? Controls that are part of the product."""

import logging
from collections import defaultdict
from collections.abc import Mapping

import ignite.distributed as idist
import numpy as np
import torch
from ignite.engine import Engine, Events
from torch import Tensor

from t3d.data.name_numbers import name_numbers
from t3d.losses.contrast import top1_hits
from t3d.losses.restoration import restoration_error
from t3d.metrics.intervals import bootstrap_mean

logger = logging.getLogger(__name__)

# what a step of the sentence contrast reads beside the views; no control changes it, so only one pass pays for it
SENTENCE_SIDE = ("windows", "window_mask", "said", "said_mask", "drawn")


class MeasureGauges:
    """One batch of a SupervisedEvaluator (``iteration_update``): a value per case for every gauge.

    Each batch is seen with its right reports, with another case's reports, and with noise in place of all images.
    Returns a dict of (B,) tensors plus ``volume`` (B, D).
    """

    def __call__(self, engine: Engine, batchdata: dict) -> dict[str, Tensor]:
        """Measure one batch (the controls, noise and swapped reports, are ours)."""
        image, _, _, texts = engine.prepare_batch(
            batchdata, engine.state.device, engine.non_blocking, **engine.to_kwargs
        )
        corrupted = texts.pop("corrupted")
        for key in ("report_id", "patient"):  # only losses ask for them
            texts.pop(key, None)
        spoken = {key: texts.pop(key) for key in SENTENCE_SIDE if key in texts}
        network = engine.network
        with engine.mode(network), torch.autocast(image.device.type, enabled=engine.amp, **engine.amp_kwargs):
            right = network(image, corrupted=corrupted, **texts, **spoken)
            generator = torch.Generator().manual_seed(engine.state.iteration)
            noise = [torch.rand(views.shape, generator=generator).to(views) for views in (image, corrupted)]
            blind = network(noise[0], corrupted=noise[1], **texts)
            error = restoration_error(right["restored"], right["clean"], corrupted)
            values = {
                "hit": top1_hits(right["anchor"].float(), right["candidate"].float()),
                "shortcut_hit": top1_hits(blind["anchor"].float(), blind["candidate"].float()),
                "error": error.whole,
                "error_corrupted": error.corrupted,
                "input_error": restoration_error(corrupted, right["clean"], corrupted).whole,
                "volume": right["volume"].float(),
                "case": name_numbers(batchdata["case_id"]).to(image.device),
                "patient": name_numbers(batchdata["patient_id"]).to(image.device),
            }
            if texts:
                values |= _with_wrong_reports(network, image, corrupted, texts, batchdata["report_id"], right, values)
        return values


def _with_wrong_reports(
    network: torch.nn.Module,
    image: Tensor,
    corrupted: Tensor,
    texts: Mapping[str, Tensor],
    report_id: Tensor,
    right: Mapping[str, Tensor],
    values: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    other, usable = another_report(report_id)
    wrong = network(image, corrupted=corrupted, **{key: value[other] for key, value in texts.items()})
    # An own_report candidate keeps its right report: only what the anchor reads is swapped.
    candidate = wrong["candidate"] if wrong["candidate"].ndim == 4 else right["candidate"]
    hit = top1_hits(wrong["anchor"].float(), candidate.float())
    error = restoration_error(wrong["restored"], right["clean"], corrupted).whole
    unknown = ~usable.to(hit.device)
    return {
        "contrast_gain": (values["hit"] - hit).masked_fill(unknown, torch.nan),
        "restoration_gain": (error - values["error"]).masked_fill(unknown, torch.nan),
    }


def another_report(report_id: Tensor) -> tuple[Tensor, Tensor]:
    """For each case (B,) the next one in the batch with a different report, and whether there is one."""
    ids = report_id.tolist()
    count = len(ids)
    picks = [
        next(((i + step) % count for step in range(1, count) if ids[(i + step) % count] != ids[i]), None)
        for i in range(count)
    ]
    usable = torch.tensor([pick is not None for pick in picks])
    return torch.tensor([i if pick is None else pick for i, pick in enumerate(picks)]), usable


class Gauges:
    """Collects what ``MeasureGauges`` measured and leaves the gauges in ``engine.state.metrics``.

    All numbers, with 95 % intervals from resampling patients, stand in ``engine.state.gauges``.
    """

    def __init__(self) -> None:
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
        self.batch_size = engine.state.output["hit"].shape[0]

    def compute(self, engine: Engine) -> None:
        """Compute the gauges over all processes."""
        values = {name: idist.all_gather(torch.cat(parts)).cpu() for name, parts in self.values.items()}
        engine.state.gauges = summarise(values, batch_size=self.batch_size)
        engine.state.metrics.update(
            {name: value for name, value in engine.state.gauges.items() if isinstance(value, float)}
        )


def summarise(values: dict[str, Tensor], *, batch_size: int) -> dict:
    """Gauges from values per case: a dict of numbers and of 95 % intervals (``NAME_interval``)."""
    patients = values["patient"].numpy()
    named = {
        "tic_accuracy": "hit",
        "tic_shortcut": "shortcut_hit",
        "text_gain_contrast": "contrast_gain",
        "text_gain_restoration": "restoration_gain",
        "restoration_error": "error",
        "restoration_error_corrupted": "error_corrupted",
        "corrupted_input_error": "input_error",
    }
    gauges: dict = {"tic_chance": 1 / batch_size}
    for name, key in named.items():
        if key in values:
            mean, interval = bootstrap_mean(values[key].double().numpy(), patients)
            gauges |= {name: mean, f"{name}_interval": interval}
        else:
            gauges |= {name: None, f"{name}_interval": None}
    gauges["effective_rank"] = effective_rank(values["volume"])
    gauges["embedding_width"] = values["volume"].shape[1]
    gauges["batch_size"] = batch_size
    gauges["cases"] = len(np.unique(values["case"].numpy()))
    gauges["draws"] = len(patients)
    return gauges


def effective_rank(embeddings: Tensor) -> float:
    """exp of the entropy of the normalised singular values of centred embeddings (N, D) (Roy & Vetterli 2007).

    1 is a complete collapse onto a line, min(N - 1, D) an even spread. MONAI's EmbeddingCollapseMetric (1.6 on)
    scores sum / max of the singular values instead, which one large value dominates, and 1.5 has none; hence ours.
    """
    centred = embeddings.double() - embeddings.double().mean(dim=0)
    singular = torch.linalg.svdvals(centred)
    share = singular / singular.sum().clamp_min(1e-12)
    return float(torch.exp(-(share * share.clamp_min(1e-12).log()).sum()))
