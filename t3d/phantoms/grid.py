"""The voxel grid of a phantom in the coordinates of the reference torso."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from t3d.phantoms.tissues import Tissue
from t3d.triple import triple

Box = tuple[slice, slice, slice]


@dataclass
class Grid:
    """A tissue volume and the reference coordinates of its voxels.

    Shapes are written for one reference torso (mm; x to the patient's right, y anterior, z superior, origin
    in the midline at the height of the right diaphragm). A patient's frame stretches it:
    `mm = reference * frame`.

    Attributes:
        tissue: (X, Y, Z) uint8 tissue codes in RAS order, painted in place.
        x, y, z: reference coordinates, each broadcastable against (X, Y, Z), float32.
        frame: (3,) stretch of the patient.
        spacing: (3,) voxel size in mm.
        first: (3,) mm position of voxel (0, 0, 0).
    """

    tissue: np.ndarray
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    frame: np.ndarray
    spacing: np.ndarray
    first: np.ndarray

    @classmethod
    def covering(
        cls, field_mm: np.ndarray, centre_mm: np.ndarray, shape: tuple[int, int, int], frame: np.ndarray
    ) -> "Grid":
        """A grid of `shape` voxels over a fixed field of view: the shape changes the spacing only."""
        spacing = np.asarray(field_mm, float) / shape
        first = np.asarray(centre_mm, float) - spacing * (np.asarray(shape) - 1) / 2
        axes = [((first[k] + spacing[k] * np.arange(shape[k])) / frame[k]).astype(np.float32) for k in range(3)]
        x, y, z = np.ix_(*axes)
        tissue = np.full(shape, Tissue.AIR, np.uint8)
        return cls(tissue, x, y, z, np.asarray(frame, float), spacing, first)

    def box(self, low: Sequence[float] | np.ndarray, high: Sequence[float] | np.ndarray) -> Box:
        """Slices of the voxels between two reference points."""
        slices = []
        for k, axis in enumerate((self.x, self.y, self.z)):
            start, stop = np.searchsorted(axis.ravel(), (low[k], high[k]))
            slices.append(slice(int(start), int(stop)))
        return triple(slices)

    def axes(self, box: Box) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The coordinates of a box, broadcastable against it."""
        return self.x[box[0]], self.y[:, box[1]], self.z[:, :, box[2]]

    def ellipsoid(
        self, centre: ArrayLike, radii: ArrayLike, rotation: np.ndarray | None = None, reach: float = 1.0
    ) -> tuple[Box, np.ndarray]:
        """Box around an ellipsoid and its squared normalised radius there (1 on the surface).

        Args:
            centre, radii: reference mm.
            rotation: (3, 3), columns are the ellipsoid's axes; identity if None.
            reach: how many radii the box covers.
        """
        centre, radii = np.asarray(centre, float), np.asarray(radii, float)
        axes = np.eye(3) if rotation is None else rotation
        half = reach * np.sqrt(((axes * radii) ** 2).sum(axis=1))
        box = self.box(centre - half, centre + half)
        x, y, z = self.axes(box)
        x, y, z = x - np.float32(centre[0]), y - np.float32(centre[1]), z - np.float32(centre[2])
        if rotation is None:
            terms = (
                (x / np.float32(radii[0])) ** 2,
                (y / np.float32(radii[1])) ** 2,
                (z / np.float32(radii[2])) ** 2,
            )
            return box, terms[0] + terms[1] + terms[2]
        squared = np.zeros((1, 1, 1), np.float32)
        for k in range(3):
            a, b, c = (axes[:, k] / radii[k]).astype(np.float32)
            squared = squared + (x * a + y * b + z * c) ** 2
        return box, squared

    def paint(self, box: Box, mask: np.ndarray, tissue: Tissue, over: Sequence[Tissue] | None = None) -> None:
        """Give the masked voxels of a box a tissue, optionally only where one of `over` is now."""
        target = self.tissue[box]
        if over is not None:
            mask = mask & np.isin(target, over)
        target[mask] = tissue
