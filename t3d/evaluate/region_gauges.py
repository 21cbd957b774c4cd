"""The restoration's error in body, organs, lesions and every class of a label map, beside what is easy to reach."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from t3d.errors import T3DError
from t3d.metrics.intervals import bootstrap_mean
from t3d.volume.label_table import read_label_table

ORGANS, LESIONS = "organs", "lesions"


class Regions:
    """Where the restoration's error is measured: ``names``, of a label table.

    They are ``body`` (by its intensities, so of unlabelled cases too), ``organs`` (all labelled voxels but lesions),
    ``lesions`` where classes are called so, and each class alone.

    Args:
        labels_file: label table, see ``read_label_table``.
        lesion_classes: names of its classes that are lesions.

    Raises:
        T3DError: no label table, or a lesion class that it does not have.
    """

    def __init__(self, labels_file: str | Path, *, lesion_classes: Sequence[str] = ()) -> None:
        table = read_label_table(labels_file)
        self.class_values = list(table.values())
        classes = list(table)[1:]
        unknown = sorted(set(lesion_classes) - set(classes))
        if unknown:
            raise T3DError(
                f"lesion_classes {', '.join(unknown)} are not in {Path(labels_file).name}; its classes are "
                f"{', '.join(classes)}"
            )
        kinds = [ORGANS, LESIONS] if lesion_classes else [ORGANS]
        self.names = ["body", *kinds, *classes]
        self._kinds = len(kinds)
        # by class number: background 0, an organ 1, a lesion 2
        self._kind = torch.tensor([0, *(2 if name in lesion_classes else 1 for name in classes)])

    def errors(self, restored: Tensor, clean: Tensor, label: Tensor, body: Tensor) -> Tensor:
        """Mean absolute error of each case in each region, (B, R); NaN where it has none.

        Args:
            restored, clean: (B, ..) of one shape.
            label: class numbers of the same shape, -1 in cases without a label.
            body: bool of the same shape.
        """
        difference = (restored.double() - clean.double()).abs().flatten(1)
        return torch.cat([_sums(difference, *part) / _sums(None, *part) for part in self._parts(label, body)], dim=1)

    def measure(
        self, restored: Tensor, clean: Tensor, corrupted: Tensor, label: Tensor, body: Tensor
    ) -> dict[str, Tensor]:
        """Values (B, R) of each case: voxels, the error, and that of two answers that restore nothing.

        These are the corrupted input as it is, and the region's own mean in place of each of its voxels, which nobody
        knows who has not seen it: a restoration below it gives more than the right brightness.
        """
        flat = clean.double().flatten(1)
        voxels, filled = [], []
        for place, count in self._parts(label, body):
            number = _sums(None, place, count)
            means = torch.cat([torch.zeros_like(number[:, :1]), _sums(flat, place, count) / number], dim=1)
            voxels.append(number)
            filled.append(_sums((flat - means.gather(1, place)).abs(), place, count) / number)
        return {
            "region_voxels": torch.cat(voxels, dim=1),
            "region_error": self.errors(restored, clean, label, body),
            "region_input_error": self.errors(corrupted, clean, label, body),
            "region_mean_error": torch.cat(filled, dim=1),
        }

    def _parts(self, label: Tensor, body: Tensor) -> list[tuple[Tensor, int]]:
        """Ways to part the voxels: (B, V) places, of which 0 is nowhere, and the number of regions besides."""
        number = label.flatten(1).long().clamp_min(0)
        kind = self._kind.to(number.device)[number]
        return [(body.flatten(1).long(), 1), (kind, self._kinds), (number, len(self.class_values) - 1)]


def _sums(values: Tensor | None, place: Tensor, count: int) -> Tensor:
    """Sums of values (B, V) over each of ``count`` regions, or of ones, (B, count) float64."""
    ones = torch.ones((), dtype=torch.float64, device=place.device).expand(place.shape)
    sums = torch.zeros(len(place), count + 1, dtype=torch.float64, device=place.device)
    return sums.scatter_add_(1, place, ones if values is None else values)[:, 1:]


def summarise_regions(values: Mapping[str, Tensor], names: Sequence[str]) -> dict[str, dict[str, Any]] | None:
    """The regions that any case has, from values per case (see ``Regions.measure``); None where none were measured.

    Each has ``cases`` and ``voxels`` that it stands on, ``error`` with ``interval`` (95 %, from resampling patients),
    ``corrupted_input_error``, ``mean_fill_error`` and, where reports are read, ``text_gain`` with its
    ``text_gain_interval``: the error with another case's report minus with the right one. All are means over cases.
    """
    if "region_error" not in values:
        return None
    patients = values["patient"].numpy()

    def mean(key: str, place: int) -> tuple[float | None, list[float] | None]:
        return bootstrap_mean(values[key][:, place].double().numpy(), patients)

    regions = {}
    for place, name in enumerate(names):
        there = values["region_voxels"][:, place] > 0
        if not there.any():
            continue
        error, interval = mean("region_error", place)
        region = {
            "cases": len(values["case"][there].unique()),
            "voxels": int(values["region_voxels"][:, place].sum()),
            "error": error,
            "interval": interval,
            "corrupted_input_error": mean("region_input_error", place)[0],
            "mean_fill_error": mean("region_mean_error", place)[0],
        }
        if "region_gain" in values:
            gain = mean("region_gain", place)
            region |= dict(zip(("text_gain", "text_gain_interval"), gain, strict=True))
        regions[name] = region
    return regions


def region_table(regions: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The regions as lines of a Markdown table."""
    lines = [
        "| region | cases | voxels | restored | corrupted input | filled with its mean | gain of the right report |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, region in regions.items():
        low, high = region["interval"]
        gain = region.get("text_gain")
        cells = [
            name,
            str(region["cases"]),
            str(region["voxels"]),
            f"{region['error']:.4f} ({low:.4f} to {high:.4f})",
            f"{region['corrupted_input_error']:.4f}",
            f"{region['mean_fill_error']:.4f}",
            "" if gain is None else "{:+.5f} ({:+.5f} to {:+.5f})".format(gain, *region["text_gain_interval"]),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines
