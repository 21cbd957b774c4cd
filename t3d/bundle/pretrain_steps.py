"""What happens to a case of the pre-training bundle: volume and report, views for training, whole volumes later."""

from collections.abc import Sequence

from monai.transforms import Compose, CropForegroundd, DivisiblePadd, SelectItemsd, SpatialPadd, Transform
from monai.utils import ensure_tuple_rep

from t3d.bundle.report_side import ReportSide
from t3d.bundle.steps import Preparation, image_steps, stored_volume
from t3d.networks.encoders import STRIDE
from t3d.transforms.body import is_body
from t3d.transforms.corruption import RandCorruptViewsd
from t3d.transforms.crops import PairedCropsd
from t3d.transforms.report import RandSentencesd

_CASE = ("case_id", "patient_id", "image")
# what is_body takes for tissue, and the air that is kept around it, in voxels
_BODY_LEVEL, _MARGIN = 0.2, 4


def case_steps(*, preparation: Preparation, reports: ReportSide, prepared: bool = False) -> Compose:
    """The volume without the air around the body, and the report as the network reads it.

    Args:
        preparation: spacing, orientation, HU window.
        reports: what becomes of the report's text.
        prepared: the files are those of ``t3d prepare`` and only crops of them are read.
    """
    needed = SelectItemsd([*_CASE, *(["report"] if reports.use_text else [])])
    if prepared:
        return Compose([needed, stored_volume(preparation, body_level=_BODY_LEVEL, margin=_MARGIN), *reports.steps])
    body = CropForegroundd("image", source_key="image", select_fn=is_body, allow_smaller=True, margin=_MARGIN)
    return Compose([needed, *image_steps(preparation), *reports.steps, body])


def view_steps(
    *,
    crop_size: int | Sequence[int],
    view_overlap: float | None,
    corruption: float,
    sentences: str | float | int | None = None,
) -> Compose:
    """Two crops of a volume and their corrupted copies; in training also fewer sentences of the report.

    Args:
        crop_size, view_overlap: see ``PairedCropsd``.
        corruption: share of a view's voxels.
        sentences: see ``RandSentencesd``; None where there is no report or all of it is read.
    """
    hidden = [] if sentences is None else [RandSentencesd("report_mask", sentences=sentences)]
    views = PairedCropsd("image", crop_size=crop_size, view_overlap=view_overlap)
    return Compose([views, *hidden, RandCorruptViewsd("image", share=corruption)])


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
