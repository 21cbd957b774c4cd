"""What happens to a case of the pre-training bundle: volume and report, views for training, whole volumes later."""

from collections.abc import Mapping, Sequence
from typing import Any

from monai.engines import PrepareBatchExtraInput
from monai.transforms import Compose, CropForegroundd, DivisiblePadd, Lambda, SelectItemsd, SpatialPadd, Transform
from monai.utils import ensure_tuple_rep

from t3d.bundle.report_side import ReportSide
from t3d.bundle.steps import Preparation, image_steps, stored_volume
from t3d.data.wordings import REPORTS
from t3d.errors import T3DError
from t3d.evaluate.region_gauges import Regions
from t3d.networks.encoders import STRIDE
from t3d.transforms.asked_sentences import RandAskSentencesd
from t3d.transforms.body import is_body
from t3d.transforms.corruption import RandCorruptViewsd
from t3d.transforms.crops import PairedCropsd
from t3d.transforms.jitter import jitter_steps
from t3d.transforms.kept_volume import KeepVolumed
from t3d.transforms.label_views import LabelViewsd
from t3d.transforms.report import RandSentencesd
from t3d.transforms.windows import RandWindowsd
from t3d.transforms.wordings import ReadReportd

# what the sentence contrast reads beside the views
SENTENCE_SIDE = ("windows", "window_mask", "said", "said_mask", "drawn")
_CASE = ("case_id", "patient_id", "image")
# what is_body takes for tissue, and the air that is kept around it, in voxels
_BODY_LEVEL, _MARGIN = 0.2, 4


def case_steps(
    *, preparation: Preparation, reports: ReportSide, prepared: bool = False, label: bool = False
) -> Compose:
    """The volume without the air around the body, and the report as the network reads it.

    Args:
        preparation: spacing, orientation, HU window.
        reports: what becomes of the report's text.
        prepared: the files are those of ``t3d prepare`` and only crops of them are read.
        label: bring the label maps along of the cases that have one, for the gauges of regions.
    """
    read = [ReadReportd(reports.steps)] if reports.steps else []
    optional = [*([REPORTS] if reports.use_text else []), *(["label"] if label else [])]
    wanted = [*_CASE, *(["report"] if reports.use_text else []), *optional]
    needed = [
        *([Lambda(_without_empty_label)] if label else []),
        SelectItemsd(wanted, allow_missing_keys=bool(optional)),
    ]
    if prepared:
        image = stored_volume(preparation, body_level=_BODY_LEVEL, margin=_MARGIN, label=label)
        return Compose([*needed, image, *read])
    body = CropForegroundd(
        ("image", "label") if label else "image",
        source_key="image",
        select_fn=is_body,
        allow_smaller=True,
        margin=_MARGIN,
        allow_missing_keys=label,
    )
    return Compose([*needed, *image_steps(preparation, label=label), *read, body])


def view_steps(
    *,
    crop_size: int | Sequence[int],
    view_overlap: float | None,
    corruption: float,
    sentences: str | float | int | None = None,
    pairs: int | str = "both",
    jitter: float = 0.0,
    text_windows: int = 0,
    text_sentences: int = 0,
    regions: Regions | None = None,
) -> Compose:
    """Crops of a volume, their corrupted copies, and what the sentences of its report are asked about.

    A batch then has ``image`` (B, 2 P, 1, s, s, s), of which pair p is (p, P + p); ``corrupted`` (B, P, ..), or
    (B, 2, ..) both ways; with windows ``windows`` (B, W, 1, s, s, s) and ``window_mask`` (B, W); with sentences
    ``drawn`` (B, S), rows of ``said`` or -1. Crops and hidden sentences of a draw are the same with and without
    jitter, windows and drawn sentences: their seeds are dealt out first.

    Args:
        crop_size, view_overlap: see ``PairedCropsd``; also the side of the windows.
        corruption: share of a view's voxels.
        sentences: see ``RandSentencesd``; None where there is no report or all of it is read.
        pairs: P pairs of views, of which the first one is corrupted and finds the other; "both" for two views that
            find each other, both corrupted.
        jitter: of the intensities of each view on its own, and more softly of the windows; see ``jitter_steps``.
        text_windows: W windows of the whole volume, see ``RandWindowsd``; 0 for none.
        text_sentences: S sentences of the report that are asked (needs a ``ReportSide`` with ``use_sentences``); 0 for
            none.
        regions: items have ``label`` where their case has one (``case_steps`` with label); a batch then has the
            class numbers of the views that are corrupted, int16 as these, see ``LabelViewsd``.

    Raises:
        T3DError: an option outside its range.
    """
    hidden = [] if sentences is None else [RandSentencesd("report_mask", sentences=sentences)]
    ordered = _pairs(pairs)
    kept: list[Transform] = []
    windows: list[Transform] = []
    if text_windows:
        kept = [KeepVolumed("image", kept="windows")]
        drawn = RandWindowsd("windows", crop_size=crop_size, train_windows=text_windows, channel=True)
        windows = [drawn, *jitter_steps(jitter, "windows", soft=True)]
    return Compose(
        [
            *kept,
            PairedCropsd(
                "image" if regions is None else ("image", "label"),
                crop_size=crop_size,
                view_overlap=view_overlap,
                pairs=ordered,
                allow_missing_keys=regions is not None,
            ),
            *([] if regions is None else [LabelViewsd(class_values=regions.class_values, first=ordered)]),
            *hidden,
            *jitter_steps(jitter),
            RandCorruptViewsd("image", share=corruption, first=ordered),
            *windows,
            *([RandAskSentencesd(count=text_sentences)] if text_sentences else []),
        ]
    )


def prepare_batch(*, use_text: bool, use_sentences: bool, use_opposites: bool = False) -> PrepareBatchExtraInput:
    """What of a batch goes into ``PretrainNetwork.forward``, under the same names."""
    keys = ["corrupted", "patient"]
    keys += ["report", "report_mask", "report_id"] if use_text else []
    keys += SENTENCE_SIDE if use_sentences else []
    keys += ["opposite"] if use_sentences and use_opposites else []
    return PrepareBatchExtraInput({key: key for key in keys})


def _without_empty_label(item: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key != "label" or value}


def _pairs(pairs: int | str) -> int | None:
    if pairs == "both":
        return None
    if isinstance(pairs, str) or isinstance(pairs, bool) or pairs != int(pairs):
        raise T3DError(f'pairs is {pairs!r}; set it to 1 or more pairs of views, or to "both".')
    return int(pairs)


def whole_steps(*, preparation: Preparation, crop_size: int | Sequence[int]) -> Compose:
    """A whole volume without its report, padded at its end to at least a window and to what the encoder halves.

    Args:
        preparation: spacing, orientation, HU window.
        crop_size: of the windows, voxels per side, one number or three.
    """
    return Compose([SelectItemsd(list(_CASE)), *image_steps(preparation), *padded(crop_size)])


def padded(crop_size: int | Sequence[int]) -> list[Transform]:
    """Padding of a prepared volume at its end, to at least a window and to what the encoder halves."""
    return [
        SpatialPadd("image", spatial_size=ensure_tuple_rep(crop_size, 3), method="end"),
        DivisiblePadd("image", k=STRIDE, method="end"),
    ]
