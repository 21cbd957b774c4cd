"""Pictures of what the network restores, in TensorBoard and as PNG."""

from pathlib import Path
from typing import TYPE_CHECKING

import ignite.distributed as idist
import numpy as np
import torch
from ignite.engine import Engine, Events
from matplotlib.image import imsave
from torch import Tensor

from t3d.atomic import write_atomically

if TYPE_CHECKING:  # tensorboard is slow to import
    from torch.utils.tensorboard import SummaryWriter


def restoration_picture(output: dict[str, Tensor], *, cases: int = 4) -> np.ndarray:
    """Rows of cases, columns clean / corrupted / restored: the middle axial slice of the first view.

    Anterior is up and the patient's right is on the left of each panel, as radiologists read it.

    Returns:
        (H, W) float in [0, 1].
    """
    rows = []
    for case in range(min(cases, output["clean"].shape[0])):
        panels = []
        for key in ("clean", "corrupted", "restored"):
            crop = output[key][case, 0, 0].detach().float().cpu()
            axial = crop[:, :, crop.shape[2] // 2]  # RAS: indices grow to the right and to the front
            panels.append(torch.flip(axial.T, dims=(0, 1)).clamp(0, 1))
        rows.append(torch.cat([torch.nn.functional.pad(panel, (1, 1, 1, 1), value=1.0) for panel in panels], dim=1))
    return torch.cat(rows, dim=0).numpy()


class RestorationPictures:
    """After every epoch of the trainer: the last batch's restoration, to TensorBoard and ``restoration.png``.

    Args:
        writer: ``torch.utils.tensorboard.SummaryWriter`` (None writes the PNG only).
        output_dir: folder of the PNG.
    """

    def __init__(self, *, writer: "SummaryWriter", output_dir: str) -> None:
        self.writer = writer
        self.folder = Path(output_dir)

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer."""
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.draw)

    def draw(self, engine: Engine) -> None:
        """Draw the picture of this epoch."""
        if idist.get_rank() != 0:
            return
        picture = restoration_picture(engine.state.output[0]["pred"])
        if self.writer is not None:
            self.writer.add_image("restoration", picture, engine.state.epoch, dataformats="HW")
        zoomed = np.kron(picture, np.ones((4, 4)))
        write_atomically(
            {self.folder / "restoration.png": lambda file: imsave(file, zoomed, cmap="gray", vmin=0, vmax=1)}
        )
