"""How well a pre-trained network restores corrupted crops: with the right report, with another one, and with none."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.transforms import Compose
from torch import Tensor

from t3d.bundle.report_side import ReportSide
from t3d.bundle.steps import Preparation
from t3d.data.shuffled_reports import shuffle_reports
from t3d.errors import T3DError
from t3d.metrics.masked_error import masked_error
from t3d.networks.pretrain import PretrainNetwork
from t3d.networks.recorded import network_settings, pretrain_network
from t3d.networks.restoration_decoder import decode_tokens
from t3d.networks.tokens import as_tokens
from t3d.study.outcome import SAME_INPUT, TEXT_GAIN, Outcome, measures
from t3d.study.restored_crops import Crops, RestoredCrops
from t3d.weights import load_pretrained
from t3d.weights.encoder_record import recorded_settings

_REPORT_SIDE = ("text_encoder", "max_tokens", "sections", "drop_comparisons", "report_cache")
_READINGS = ("right", "wrong", "none")


def restoration_outcomes(
    models: Path, items: Sequence[dict[str, Any]], *, settings: Mapping[str, Any], cache_dir: Path
) -> list[Outcome]:
    """Mean absolute errors of restored crops inside each region of every case, and what the right report gains.

    ``error_in_REGION`` is that with the right report, ``.._wrong_report`` with that of another patient of the list,
    ``.._no_report`` where nothing is read, ``.._corrupted`` of the corrupted crop itself; ``text_gain_in_REGION`` is
    the error with the wrong report minus that with the right one. A network without text has one error for all three.

    Args:
        models: folder with ``model.pt`` and the record of a pre-training.
        items: cases with ``case_id``, ``patient_id``, ``image``, ``label`` and, for a network that reads, ``report``.
        settings: ``regions``, ``crops`` and ``corruption``, see ``RestoredCrops``.
        cache_dir: for the features of the reports.

    Raises:
        T3DError: the network restores nothing, or a case lacks its label or report.
    """
    known = recorded_settings(models)
    device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    network_side = network_settings(known)
    reader = _Reader({**known, "use_text": network_side["use_text"]}, cache_dir)
    network = pretrain_network(network_side, text_encoder=reader.side.live_encoder)
    load_pretrained(network, models / "model.pt")
    if network.decoder is None:
        raise T3DError(f"{models / 'model.pt'} restores nothing: it was trained with restoration_weight 0")
    network.eval().to(device)
    crops_of = RestoredCrops(
        preparation=Preparation(**{key: known[key] for key in ("spacing", "orientation", "hu_range")}),  # type: ignore[typeddict-item]
        crop_size=known["crop_size"],
        **settings,
    )
    reader.side.check_trained_with(known)
    reader.precompute(items)
    others = shuffle_reports(items, seed=0) if reader.side.use_text else items
    rows = []
    with torch.inference_mode():
        for item, other in zip(items, others, strict=True):
            crops = crops_of(item)
            reports = [reader.read(one, device) for one in (item, other)] if reader.side.use_text else []
            rows.append(errors_of(network, crops, reports, device))
    who = [str(item["case_id"]) for item in items], [str(item["patient_id"]) for item in items]
    return [measures(name, [[row[name]] for row in rows], *who, [name.partition("_in_")[2]]) for name in rows[0]]


def errors_of(
    network: PretrainNetwork, crops: Crops, reports: Sequence[tuple[Tensor, Tensor]], device: torch.device
) -> dict[str, float]:
    """The measures of one case by their names, NaN in a region that its crops do not show.

    Args:
        network: in evaluation mode, with a decoder.
        crops: of the case.
        reports: features or token ids (1, L, ..) with masks, of the right and of a wrong report; [] without text.
        device: of the network.
    """
    decoder = network.get_submodule("decoder")
    maps = network.encode(crops.corrupted.to(device))
    plain = as_tokens(maps)
    fused = dict.fromkeys(_READINGS, plain)
    if reports and network.fusion is not None:
        read = [network.inform(plain, network.read_report(report), mask) for report, mask in reports]
        fused = dict(zip(_READINGS, [*read, network.fusion.refine(plain)], strict=True))
    restored = {name: decode_tokens(decoder, tokens, maps).float().cpu() for name, tokens in fused.items()}
    found: dict[str, float] = {}
    for region, mask in crops.masks.items():
        inside = {name: float(masked_error(one, crops.clean, mask)[0]) for name, one in restored.items()}
        found |= {
            f"error_in_{region}": inside["right"],
            f"error_in_{region}_wrong_report": inside["wrong"],
            f"error_in_{region}_no_report": inside["none"],
            f"error_in_{region}{SAME_INPUT}": float(masked_error(crops.corrupted, crops.clean, mask)[0]),
            f"{TEXT_GAIN}{region}": inside["wrong"] - inside["right"],
        }
    return found


class _Reader:
    """Reports as the network of a record reads them."""

    def __init__(self, known: Mapping[str, Any], cache_dir: Path) -> None:
        options = {name: known[name] for name in _REPORT_SIDE if name in known}
        self.side = ReportSide(
            use_text=known["use_text"],
            revision=known.get("text_revision"),
            trained_layers=known.get("trained_text_layers", 0),
            cache_dir=cache_dir,
            **options,
        )
        self.steps = Compose(self.side.steps)

    def precompute(self, items: Iterable[Mapping[str, Any]]) -> None:
        if self.side.use_text:
            self.side.precompute(items)

    def read(self, item: Mapping[str, Any], device: torch.device) -> tuple[Tensor, Tensor]:
        """Features or token ids (1, L, ..) and mask (1, L) of an item's report."""
        found = self.steps({"case_id": item["case_id"], "report": item["report"]})
        report, mask = (torch.as_tensor(found[key])[None].to(device) for key in ("report", "report_mask"))
        return report, mask
