"""Where in a volume the attention of each finding lies, as NIfTI and as a picture."""

import gzip
from collections.abc import Sequence
from pathlib import Path

import nibabel
import numpy as np
import torch
from ignite.engine import Engine, Events
from matplotlib.figure import Figure

from t3d.atomic import write_atomically
from t3d.errors import T3DError
from t3d.files import refuse_existing
from t3d.infer.planes import draw_planes
from t3d.networks.volume_classifier import VolumeClassifier

BLOCK = 8  # voxels of the prepared volume per voxel of the map, a side


class SaveAttention:
    """Writes ``CASE_attention.nii.gz`` (x, y, z, finding) and ``CASE_attention.png`` for every case.

    A voxel holds the mean weight of the windows that cover it, times the number of windows that count: 1 everywhere
    is attention that looks at all windows alike. The grid is that of the prepared volume with voxels of 8 a side;
    its affine places it in the millimetres of the input file, so viewers overlay it on the scan. The picture shows
    the finding with the highest score. Attention tells where the network looked, not where a disease is.

    Args:
        output_dir: made if absent.
        network: its ``pooling`` is listened to.
        findings: F names.
        overwrite: whether files of an earlier run may be replaced.

    Raises:
        T3DError: when attached, a network that pools without attention.
    """

    def __init__(
        self, *, output_dir: str, network: VolumeClassifier, findings: Sequence[str], overwrite: bool = False
    ) -> None:
        self.folder = Path(output_dir)
        self.network = network
        self.findings = list(findings)
        self.overwrite = overwrite
        self.weights = np.zeros((0, 0), np.float32)  # (F, W) of the volume at hand

    def attach(self, engine: Engine) -> None:
        """Attach to the evaluator, before the scores are saved."""
        pooling = getattr(self.network, "pooling", None)
        if pooling is None:
            raise T3DError(
                "save_attention True: this model pools all tokens alike and has no attention to save; leave "
                "save_attention out, or train with --pooling attention"
            )
        pooling.register_forward_hook(self._listen)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.save)

    def save(self, engine: Engine) -> None:
        """Write the files of one case."""
        item, output = engine.state.batch[0], engine.state.output[0]
        volume, case = item["image"], str(item["case_id"])
        path = self.folder / f"{case}_attention.nii.gz"
        refuse_existing(path, overwrite=self.overwrite)
        values = attention_map(
            self.weights.T, np.array(self.network.starts(volume[0])), self.network.window, tuple(volume.shape[1:])
        )
        affine = np.asarray(volume.affine, dtype=float) @ _coarse()
        image = nibabel.Nifti1Image(values.astype(np.float32), affine)
        top = int(output["pred"].argmax())
        title = f"{case}: attention for {self.findings[top]}, score {float(output['pred'][top]):.2f}"
        picture = overlay(torch.as_tensor(volume[0]).cpu().numpy(), values[..., top], title=title)
        write_atomically(
            {
                path: lambda file: file.write(gzip.compress(image.to_bytes(), mtime=0)),
                self.folder / f"{case}_attention.png": lambda file: picture.savefig(file, format="png", dpi=110),
            }
        )

    def _listen(self, module: torch.nn.Module, inputs: tuple, output: tuple) -> None:
        self.weights = output[1][0].detach().float().cpu().numpy()


def attention_map(
    weights: np.ndarray, starts: np.ndarray, window: tuple[int, ...], size: tuple[int, ...]
) -> np.ndarray:
    """Spread window weights over a volume.

    Args:
        weights: (W, F), 0 for windows that do not count.
        starts: (W, 3) first voxels.
        window: sides in voxels.
        size: (X, Y, Z) of the volume.

    Returns:
        (ceil(X / 8), .., F): in each block the mean weight of the covering windows, by the share of the block that
        each covers, times the number of windows with any weight.
    """
    cover = [_cover(starts[:, axis], window[axis], size[axis]) for axis in range(3)]
    total = np.einsum("wf,wi,wj,wk->ijkf", weights, *cover, optimize=True)
    count = np.einsum("wi,wj,wk->ijk", *cover, optimize=True)
    return total / count[..., None] * (weights.sum(axis=1) > 0).sum()


def _cover(starts: np.ndarray, wide: int, side: int) -> np.ndarray:
    """Voxels of each block (W, blocks) that a window covers along one axis."""
    edges = np.arange(0, side, BLOCK)
    low = np.maximum(starts[:, None], edges)
    high = np.minimum(starts[:, None] + wide, np.minimum(edges + BLOCK, side))
    return np.maximum(0, high - low).astype(float)


def _coarse() -> np.ndarray:
    coarse = np.diag([BLOCK, BLOCK, BLOCK, 1.0])
    coarse[:3, 3] = (BLOCK - 1) / 2
    return coarse


def overlay(volume: np.ndarray, values: np.ndarray, *, title: str) -> Figure:
    """Coronal, sagittal and axial slice through the map's maximum, RAS volume (X, Y, Z) in [0, 1]."""
    top = max(2.0, float(values.max()))
    fine = np.kron(values, np.ones((BLOCK,) * 3))[tuple(slice(side) for side in volume.shape)]
    peak = [int(np.median(places)) for places in np.nonzero(fine >= fine.max() - 1e-6)]
    return draw_planes(
        volume,
        fine,
        peak,
        title=f"{title} (where the network looked; no detection; research only)",
        limits=(0, top),
        alpha=lambda part: 0.6 * part / top,
        label="weight, 1 = all windows alike",
    )
