"""One batch of held-out cases: a value per case for every gauge, with the controls that belong to it."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from ignite.engine import Engine
from torch import Tensor

from t3d.data.name_numbers import name_numbers
from t3d.evaluate.histogram import histogram_hits
from t3d.evaluate.region_gauges import Regions
from t3d.evaluate.sentence_gauges import sentence_values
from t3d.evaluate.wrong_reports import another_report, least_alike_report
from t3d.losses.contrast import contrast_losses, top1_hits
from t3d.losses.gather import gather_rows
from t3d.losses.restoration import restoration_error
from t3d.losses.sentence_answers import RAW, SentenceTask
from t3d.networks.view_pairs import pair_views

# what a step of the sentence contrast reads beside the views; no control changes it, so only one pass pays for it
SENTENCE_SIDE = ("windows", "window_mask", "said", "said_mask", "drawn", "opposite")
_BODY = 0.2  # of the scaled image, above which there is body


class MeasureGauges:
    """One batch of a SupervisedEvaluator (``iteration_update``): a dict of (B,) tensors plus ``volume`` (B, D).

    Each batch is seen with its right reports, with other cases' reports, and with noise in place of all images (the
    controls are ours). What a recipe does not train is not measured.

    Args:
        temperature: of the training's contrast, for ``text_gain_contrast``.
        standardised: as for ``PretrainLoss``.
        regions: also measure the restoration there; batches then have ``label``, see ``LabelViewsd``.
    """

    def __init__(self, *, temperature: float = 0.1, standardised: bool = True, regions: Regions | None = None) -> None:
        self.temperature = temperature
        self.regions = regions
        self.sentences = SentenceTask(temperature=temperature, **({} if standardised else RAW))

    def __call__(self, engine: Engine, batchdata: dict) -> dict[str, Tensor]:
        """Measure one batch."""
        state: Any = engine
        image, _, _, inputs = state.prepare_batch(
            batchdata, engine.state.device, state.non_blocking, **state.to_kwargs
        )
        corrupted = inputs.pop("corrupted")
        report_id, patient = inputs.pop("report_id", None), inputs.pop("patient", None)
        spoken = {key: inputs.pop(key) for key in SENTENCE_SIDE if key in inputs}
        network = state.network
        with state.mode(network), torch.autocast(image.device.type, enabled=state.amp, **state.amp_kwargs):
            right = network(image, corrupted=corrupted, **inputs, **spoken)
            values = {
                "volume": right["volume"].float(),
                "case": name_numbers(batchdata["case_id"]).to(image.device),
                "patient": name_numbers(batchdata["patient_id"]).to(image.device),
            }
            if "anchor" in right:
                generator = torch.Generator().manual_seed(engine.state.iteration)
                noise = [torch.rand(views.shape, generator=generator).to(views) for views in (image, corrupted)]
                blind = network(noise[0], corrupted=noise[1], **inputs)
                values |= {
                    "hit": _hits(right, patient),
                    "shortcut_hit": _hits(blind, patient),
                    "histogram_hit": _histogram_hits(image, corrupted, patient),
                    "tic_chance": _chance(len(image), patient, image.device),
                }
                values["tic_loss"] = self._losses(right["anchor"], right["candidate"], patient)
                # a guess among as many candidates loses log of their number
                values["tic_excess"] = values["tic_loss"] + values["tic_chance"].log()
                # a case whose batch holds nobody else has nothing to be told from
                alone = values["tic_chance"] == 1
                for name in ("hit", "shortcut_hit", "histogram_hit", "tic_chance", "tic_loss", "tic_excess"):
                    values[name] = values[name].masked_fill(alone, torch.nan)
            if "restored" in right:
                values |= _restoration(right)
                if self.regions is not None:
                    label = batchdata["label"].to(image.device)
                    parts = {name: right[name] for name in ("restored", "clean", "corrupted")}
                    values |= self.regions.measure(**parts, label=label, body=_body(right["clean"]))
            if "sentence" in right:
                values |= self._sentences(right, patient, batchdata.get("said_kind"), spoken["drawn"])
            if inputs and ("anchor" in right or "restored" in right):
                label = batchdata["label"].to(image.device) if self.regions is not None else None
                values |= self._wrong_reports(
                    network, image, corrupted, inputs, right, report_id, patient, spoken, label
                )
        return values

    def _wrong_reports(
        self,
        network: torch.nn.Module,
        image: Tensor,
        corrupted: Tensor,
        texts: Mapping[str, Tensor],
        right: Mapping[str, Tensor],
        report_id: Tensor,
        patient: Tensor | None,
        spoken: Mapping[str, Tensor],
        label: Tensor | None,
    ) -> dict[str, Tensor]:
        """What the right report gains over another one; and over the one of the batch that says least of the same."""
        gains = {}
        choices = {"": another_report(report_id)}
        if "said" in spoken:
            choices["_hard"] = least_alike_report(spoken["said"], spoken["said_mask"], report_id)
        for suffix, (other, usable) in choices.items():
            wrong = network(image, corrupted=corrupted, **{key: value[other] for key, value in texts.items()})
            unknown = ~usable.to(image.device)
            if "anchor" in right:
                # An own_report candidate keeps its right report: only what the anchor reads is swapped.
                candidate = (wrong if wrong["candidate"].ndim == 4 else right)["candidate"]
                own = self._losses(right["anchor"], right["candidate"], patient)
                gain = self._losses(wrong["anchor"], candidate, patient) - own
                gains[f"contrast_gain{suffix}"] = gain.masked_fill(unknown, torch.nan)
            if "restored" in right and not suffix:
                errors = [restoration_error(o["restored"], right["clean"], corrupted).whole for o in (wrong, right)]
                gains["restoration_gain"] = (errors[0] - errors[1]).masked_fill(unknown, torch.nan)
                if self.regions is not None and label is not None:
                    where = {"clean": right["clean"], "label": label, "body": _body(right["clean"])}
                    other_error, own_error = (self.regions.errors(o["restored"], **where) for o in (wrong, right))
                    gains["region_gain"] = (other_error - own_error).masked_fill(unknown.unsqueeze(1), torch.nan)
        return gains

    def _losses(self, anchor: Tensor, candidate: Tensor, patient: Tensor | None) -> Tensor:
        return contrast_losses(anchor.float(), candidate.float(), temperature=self.temperature, patient=patient)

    def _sentences(
        self, output: Mapping[str, Tensor], patient: Tensor | None, said_kind: Tensor | None, drawn: Tensor
    ) -> dict[str, Tensor]:
        owner = output["owner"]
        answers = self.sentences.answers(output["spoken"], owner, output["said"], output["said_mask"], patient)
        kind = None if said_kind is None else said_kind.to(drawn).gather(1, drawn.clamp_min(0)).flatten()
        volumes = gather_rows(output["volume"])
        cases = len(output["volume"])
        return sentence_values(volumes, output["sentence"], answers, kind=kind, cases=cases)


def _hits(output: Mapping[str, Tensor], patient: Tensor | None) -> Tensor:
    return top1_hits(output["anchor"].float(), output["candidate"].float(), patient)


def _chance(cases: int, patient: Tensor | None, device: torch.device) -> Tensor:
    """Top-1 by guessing among the other patients of the batch and oneself, (B,)."""
    if patient is None:
        return torch.full((cases,), 1 / cases, device=device)
    return 1 / (1 + (patient.unsqueeze(1) != patient).sum(dim=1))


def _histogram_hits(image: Tensor, corrupted: Tensor, patient: Tensor | None) -> Tensor:
    """The contrast's question put to a histogram, mean over the pairs."""
    pairs = pair_views(image, corrupted)
    anchors, candidates = pairs.align(corrupted, pairs.candidates)
    count = anchors.shape[1]
    return torch.stack([histogram_hits(anchors[:, q], candidates[:, q], patient) for q in range(count)]).mean(dim=0)


def _body(clean: Tensor) -> Tensor:
    return (F.avg_pool3d(clean.flatten(0, 1).float(), 3, 1, 1) > _BODY).view_as(clean)


def _restoration(output: Mapping[str, Tensor]) -> dict[str, Tensor]:
    clean, corrupted = output["clean"], output["corrupted"]
    error = restoration_error(output["restored"], clean, corrupted)
    body = _body(clean)
    inside = (output["restored"].float() - clean.float()).abs() * body
    return {
        "error": error.whole,
        "error_corrupted": error.corrupted,
        "error_body": inside.flatten(1).sum(dim=1) / body.flatten(1).sum(dim=1),
        "input_error": restoration_error(corrupted, clean, corrupted).whole,
    }
