"""A picture of some cases for a person to judge the cohort by."""

import io
from pathlib import Path

import nibabel as nib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from t3d.phantoms.plan import Case

ROWS = 6
WINDOWS = {"lung": (-1350, 150), "soft tissue": (-160, 240)}
VIEWS = (  # title, axis cut, share of the axis (R, A, S), window
    ("coronal", 1, 0.52, "lung"),
    ("coronal", 1, 0.33, "soft tissue"),
    ("axial", 2, 0.66, "lung"),
    ("axial", 2, 0.19, "soft tissue"),
    ("sagittal", 0, 0.48, "soft tissue"),
)


def montage_png(folder: Path, planned: list[Case]) -> bytes:
    """PNG of up to six cases, read back from disk: slices along three axes and the names of the findings.

    Coronal and axial slices are shown as radiologists see them, the patient's right on the left.
    """
    shown = planned[:ROWS]
    figure = Figure(figsize=(3.2 * len(VIEWS), 3.4 * len(shown)), facecolor="black")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(shown), len(VIEWS), squeeze=False)
    for row, case in zip(grid, shown, strict=True):
        image = nib.as_closest_canonical(nib.load(folder / "images" / f"{case.case_id}.nii.gz"))
        volume, spacing = np.asarray(image.dataobj), image.header.get_zooms()
        for axes, (view, cut, share, window) in zip(row, VIEWS, strict=True):
            plane = np.take(volume, int(share * volume.shape[cut]), axis=cut).T
            across, up = (spacing[k] for k in range(3) if k != cut)
            plane = plane[:, ::-1]  # right or front of the patient to the left
            low, high = WINDOWS[window]
            axes.imshow(plane, cmap="gray", origin="lower", vmin=low, vmax=high, aspect=up / across)
            axes.set_axis_off()
            axes.set_title(f"{view}, {window}", color="0.6", fontsize=7, pad=2)
        present = [name.replace("_", " ") for name, there in case.study.findings.items() if there]
        title = f"{case.case_id}: {', '.join(present) or 'normal'}"
        row[0].text(0, 1.12, title, transform=row[0].transAxes, color="white", fontsize=9)
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.01, top=1 - 0.15 / len(shown), wspace=0.03, hspace=0.2)
    target = io.BytesIO()
    figure.savefig(target, format="png", dpi=80, facecolor="black", metadata={"Software": None})
    return target.getvalue()
