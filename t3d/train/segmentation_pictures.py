"""Pictures of segmentations beside the truth, in TensorBoard and as PNG."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import ignite.distributed as idist
import numpy as np
import torch
from ignite.engine import Engine, Events
from matplotlib import colormaps
from matplotlib.image import imsave
from torch import Tensor

from t3d.atomic import write_atomically

if TYPE_CHECKING:  # tensorboard is slow to import
    from torch.utils.tensorboard import SummaryWriter

_STRENGTH = 0.45  # of the colours over the grey image
_GAP = 2  # white pixels between panels


def overlay(grey: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Colour a slice by class; class 0 stays grey.

    Args:
        grey: (H, W) in [0, 1].
        classes: (H, W) whole numbers; class c has colour c - 1 of matplotlib's ``tab20``, repeating.

    Returns:
        (H, W, 3) in [0, 1].
    """
    picture = np.repeat(np.clip(grey, 0, 1)[..., None], 3, axis=2)
    palette: Any = colormaps["tab20"]  # a listed one, which has its colours; typed as any colour map
    colours = np.asarray(palette.colors)[(classes.astype(int) - 1) % 20]
    inside = (classes > 0)[..., None]
    return np.where(inside, (1 - _STRENGTH) * picture + _STRENGTH * colours, picture)


def segmentation_row(image: Tensor, label: Tensor, prediction: Tensor) -> np.ndarray:
    """Image, label and prediction of one case, side by side: the axial slice with the most labelled voxels.

    Anterior is up and the patient's right is on the left of each panel, as radiologists read it.

    Args:
        image: (1, X, Y, Z) in RAS, scaled to [0, 1].
        label, prediction: (1, X, Y, Z) class numbers.

    Returns:
        (H, W, 3) in [0, 1].
    """
    grey, truth, found = (torch.as_tensor(volume)[0].detach().float().cpu() for volume in (image, label, prediction))
    counts = (truth > 0).sum(dim=(0, 1))
    place = int(counts.argmax()) if counts.any() else grey.shape[2] // 2
    # RAS: indices grow to the right and to the front
    panels = [np.flip(volume[:, :, place].numpy().T, (0, 1)) for volume in (grey, truth, found)]
    coloured = [overlay(panels[0], np.zeros_like(panels[0])), *(overlay(panels[0], mask) for mask in panels[1:])]
    framed = [np.pad(panel, ((_GAP, _GAP), (_GAP, _GAP), (0, 0)), constant_values=1.0) for panel in coloured]
    return np.concatenate(framed, axis=1)


class SegmentationPictures:
    """At every validation: the first cases, to TensorBoard (``segmentation``) and ``segmentation.png``.

    Attach to an evaluator whose post-processed output is a list of {image, label, pred}, each (1, X, Y, Z), the last
    two class numbers.

    Args:
        writer: ``torch.utils.tensorboard.SummaryWriter`` (None writes the PNG only).
        output_dir: folder of the PNG.
        cases: rows of the picture.
    """

    def __init__(self, *, writer: "SummaryWriter", output_dir: str, cases: int = 4) -> None:
        self.writer = writer
        self.file = Path(output_dir) / "segmentation.png"
        self.cases = cases
        self.rows: list[np.ndarray] = []

    def attach(self, engine: Engine) -> None:
        """Attach to the evaluator."""
        engine.add_event_handler(Events.STARTED, lambda engine: self.rows.clear())
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.collect)
        engine.add_event_handler(Events.COMPLETED, self.draw)

    def collect(self, engine: Engine) -> None:
        """Keep the rows of this iteration's cases."""
        if idist.get_rank() != 0:
            return
        for item in engine.state.output[: self.cases - len(self.rows)]:
            self.rows.append(segmentation_row(item["image"], item["label"], item["pred"]))

    def draw(self, engine: Engine) -> None:
        """Write the picture of this validation."""
        if not self.rows:
            return
        width = max(row.shape[1] for row in self.rows)
        filled = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=1.0) for row in self.rows]
        picture = np.concatenate(filled, axis=0)
        if self.writer is not None:
            self.writer.add_image("segmentation", picture, engine.state.epoch, dataformats="HWC")
        zoom = max(1, 512 // picture.shape[1])
        zoomed = picture.repeat(zoom, axis=0).repeat(zoom, axis=1)
        write_atomically({self.file: lambda file: imsave(file, zoomed, format="png")})
