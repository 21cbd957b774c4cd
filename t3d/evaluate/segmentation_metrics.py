"""Scores segmentations on the original grid against the label files as they are."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.data import MetaTensor
from nibabel.affines import voxel_sizes

from t3d.errors import T3DError
from t3d.evaluate.metric_report import write_metrics
from t3d.files import refuse_existing
from t3d.infer.case_by_case import failed_cases
from t3d.metrics.froc import summarise_froc
from t3d.metrics.lesions import match_lesions
from t3d.metrics.overlap import TOLERANCE_MM, case_overlap
from t3d.metrics.scored_lesions import MIN_IOU, score_lesions
from t3d.metrics.segmentation_summary import summarise
from t3d.volume.label_table import BACKGROUND, class_values
from t3d.volume.label_volume import read_label_on_grid

logger = logging.getLogger(__name__)


class SegmentationMetrics:
    """Handler: measures every case, then writes ``metrics.json``, ``metrics.csv`` and ``metrics.png``.

    After post-processing each item of ``engine.state.output`` must have ``pred``, a MetaTensor (1, X, Y, Z) of the
    label table's values on the original grid, and the item of ``engine.state.batch`` ``case_id``, the path of the
    label under ``label_key`` and, where known, ``patient_id``. The label file is read as it is stored.

    What is undefined stays out of the means (NaN, null in JSON); see ``t3d.metrics.overlap.class_overlap`` for
    missing classes. HD95 covers only cases with the class in both maps: read it beside ``missed`` and ``invented``.

    Args:
        output_dir: made if absent.
        label_names: the label table, name -> value or values (``background`` is not scored), or names of the values
            0, 1, 2, .. in order.
        tolerance_mm: of the surface Dice.
        lesions: names of classes that are also matched lesion by lesion.
        lesion_min_iou: see ``t3d.metrics.lesions.match_lesions``.
        lesion_min_mm3: see there.
        settings: what was evaluated, stored with the numbers.
        label_key: key of the label's path.
        overwrite: whether metrics of an earlier run may be replaced.

    Raises:
        T3DError: at construction, a lesion class that is no class; at the start, metrics of an earlier run; at a
            case, no label, a label on another grid or values outside the table.
    """

    def __init__(
        self,
        *,
        output_dir: str | Path,
        label_names: Mapping[str, Any] | Sequence[str],
        tolerance_mm: float = TOLERANCE_MM,
        lesions: Sequence[str] | None = None,
        lesion_min_iou: float | None = None,
        lesion_min_mm3: float = 0.0,
        settings: Mapping | None = None,
        label_key: str = "label_file",
        overwrite: bool = False,
    ) -> None:
        if not isinstance(label_names, Mapping):
            label_names = {name: value for value, name in enumerate(label_names)}
        values = class_values(label_names)
        self.known_values = {value for numbers in values.values() for value in numbers}
        self.classes = {name: numbers for name, numbers in values.items() if name != BACKGROUND}
        self.lesions = list(lesions or ())
        unknown = [name for name in self.lesions if name not in self.classes]
        if unknown:
            raise T3DError(
                f"lesions: {unknown[0]} is no class of the label table; use one of {', '.join(self.classes)}"
            )
        self.folder = Path(output_dir)
        self.tolerance_mm = float(tolerance_mm)
        self.matching: dict[str, Any] = {"min_iou": lesion_min_iou, "min_mm3": float(lesion_min_mm3)}
        self.settings = dict(settings or {})
        self.label_key = label_key
        self.overwrite = overwrite
        self.cases: list[dict] = []

    def attach(self, engine: Engine) -> None:
        """Attach to the evaluator."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.measure)
        engine.add_event_handler(Events.COMPLETED, self.write)

    def start(self, engine: Engine) -> None:
        """Refuse to replace the metrics of an earlier run before any work is done."""
        refuse_existing(self.folder / "metrics.json", overwrite=self.overwrite)
        self.cases = []

    def measure(self, engine: Engine) -> None:
        """Measure the cases of one batch."""
        measured = [
            self.measure_case(item, output["pred"], output.get("lesion_prob"))
            for item, output in zip(engine.state.batch, engine.state.output, strict=True)
        ]
        self.cases += measured

    def measure_case(
        self, item: Mapping[str, Any], prediction: MetaTensor, probability: torch.Tensor | None = None
    ) -> dict:
        """Measures of one case.

        Args:
            item: with ``case_id``, the label's path under ``label_key`` and perhaps ``patient_id``.
            prediction: MetaTensor (1, X, Y, Z) on the original grid.
            probability: (L, X, Y, Z) there, a channel for each of ``lesions``; None where it is not known.
        """
        case = str(item["case_id"])
        if not isinstance(item.get(self.label_key), str | Path):
            raise T3DError(f"case {case}: has no label to compare with; add it to the datalist or remove the case")
        affine = np.asarray(prediction.meta["affine"], dtype=float)
        predicted = _whole(prediction, case)
        label = read_label_on_grid(
            item[self.label_key], shape=predicted.shape, affine=affine, case=case, values=self.known_values
        )
        spacing = voxel_sizes(affine)
        masks = {name: np.isin(label, self.classes[name]) for name in self.lesions}
        channels = [] if probability is None else list(probability.detach().cpu().numpy())
        scored = {
            name: score_lesions(channels[number], masks[name], spacing, min_mm3=self.matching["min_mm3"])
            for number, name in enumerate(self.lesions[: len(channels)])
        }
        return {
            "case_id": case,
            "patient_id": str(item.get("patient_id", case)),
            "classes": case_overlap(predicted, label, self.classes, spacing, tolerance=self.tolerance_mm),
            "lesions": {
                name: match_lesions(np.isin(predicted, self.classes[name]), masks[name], spacing, **self.matching)
                for name in self.lesions
            },
            "scored_lesions": scored,
        }

    def write(self, engine: Engine) -> None:
        """Write the three files; nothing when no case could be measured."""
        failed = failed_cases(engine)
        if not self.cases:
            logger.warning("no case was measured, so %s is not written", self.folder / "metrics.json")
            return
        summary = summarise(self.cases, classes=list(self.classes), lesions=self.lesions)
        summary["froc"] = summarise_froc(self.cases, self.lesions) or None
        report = {
            "cases": len(self.cases),
            **summary,
            "per_case": self.cases,
            "tolerance_mm": self.tolerance_mm,
            "lesion_matching": {**self.matching, "froc_min_iou": MIN_IOU} if self.lesions else None,
            "failed": failed,
            "settings": self.settings,
        }
        write_metrics(self.folder, report)
        dice = summary["mean"]["dice"]
        if dice["mean"] is None:
            logger.warning("no class is present in any of the %d cases, so there is no Dice", len(self.cases))
        else:
            bounds = [round(bound, 3) for bound in dice["interval"] or ()]
            logger.info("mean Dice %.3f, 95 %% interval %s, %d cases", dice["mean"], bounds or "none", len(self.cases))
        logger.info("metrics written to %s", self.folder / "metrics.json")


def _whole(prediction: torch.Tensor, case: str) -> np.ndarray:
    """(X, Y, Z) integers of a prediction (1, X, Y, Z)."""
    if prediction.ndim != 4 or prediction.shape[0] != 1:
        raise T3DError(
            f"case {case}: the prediction has the shape {tuple(prediction.shape)}, not (1, X, Y, Z) of label values; "
            "take the argmax in post-processing"
        )
    array = torch.as_tensor(prediction[0]).detach().cpu().numpy()
    return array if np.issubdtype(array.dtype, np.integer) else np.rint(array).astype(np.int32)
