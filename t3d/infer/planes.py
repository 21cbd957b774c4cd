"""Three planes through a place of a volume, with values in colour over them."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.figure import Figure


def draw_planes(
    volume: np.ndarray,
    values: np.ndarray,
    place: Sequence[int],
    *,
    title: str,
    limits: tuple[float, float],
    alpha: Callable[[np.ndarray], np.ndarray | float],
    label: str = "",
) -> Figure:
    """Coronal, sagittal and axial slice, right and front on the left as radiologists want them.

    Args:
        volume: (X, Y, Z) in RAS, in [0, 1].
        values: (X, Y, Z).
        place: voxel that the slices pass.
        title: above the picture.
        limits: least and greatest value of the colours.
        alpha: of a slice of values, how much of them is seen over the volume.
        label: of the colours.
    """
    figure = Figure(figsize=(11, 4), layout="constrained")
    for axes, axis, name in zip(figure.subplots(1, 3), (1, 0, 2), ("coronal", "sagittal", "axial"), strict=True):
        # indices grow to the right, the front and the head (RAS)
        grey, coloured = (np.take(array, place[axis], axis=axis).T[::-1, ::-1] for array in (volume, values))
        axes.imshow(grey, cmap="gray", vmin=0, vmax=1)
        shown = axes.imshow(coloured, cmap="inferno", alpha=alpha(coloured), vmin=limits[0], vmax=limits[1])
        axes.set(title=f"{name}, slice {place[axis]}", xticks=[], yticks=[])
    figure.colorbar(shown, ax=figure.axes, shrink=0.8, label=label)
    figure.suptitle(title)
    return figure
