"""Which attention window a training starts with: that of the weights it starts from, or one that suits its crops."""

from collections.abc import Sequence
from pathlib import Path

from t3d.errors import T3DError
from t3d.networks.fitting_window import PUBLISHED, fitting_window
from t3d.weights.encoder_record import verified_record


def start_window(*, crop_size: int | Sequence[int], encoder_weights: str | None = None) -> int:
    """The ``window_size`` of a training that was told none.

    Args:
        crop_size: one side or three, in voxels.
        encoder_weights: file that the encoder starts from. Its window is what the record beside it says, and without
            one that of published weights. None or "" trains from scratch, with ``fitting_window``. A file that cannot
            be read is refused where it is loaded, not here.
    """
    if not encoder_weights:
        return fitting_window(crop_size)
    path = Path(encoder_weights)
    try:
        record = verified_record(path) if path.is_file() else None
    except T3DError:
        record = None
    return (record or {}).get("network", {}).get("window_size", PUBLISHED)
