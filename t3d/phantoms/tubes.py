"""Vessels, ribs and bowel: tubes along lines, rasterised as the share of each voxel they fill."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import Akima1DInterpolator

from t3d.phantoms.grid import Grid

GOLDEN_ANGLE = 2.39996323


def smooth_path(knots: ArrayLike, radii: ArrayLike, *, steps: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Segments of a smooth curve through knots.

    Args:
        knots: (n, 3) reference points.
        radii: radius in mm, one number or one per knot.
        steps: number of segments.

    Returns:
        starts (steps, 3), ends (steps, 3), radii (steps,).
    """
    knots = np.asarray(knots, float)
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(knots, axis=0), axis=1))])
    at = np.linspace(0, along[-1], steps + 1)
    # Akima needs no linear solve, so the result does not depend on the machine's BLAS threads.
    points = Akima1DInterpolator(along, knots)(at)
    widths = np.interp(at, along, np.broadcast_to(np.asarray(radii, float), len(knots)))
    return points[:-1], points[1:], (widths[:-1] + widths[1:]) / 2


def filled_share(grid: Grid, starts: np.ndarray, ends: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Share of every voxel that lies in any of the given straight tubes.

    Each tube is sampled on discs (a sunflower pattern) half a voxel apart and the samples' volumes are summed
    per voxel, so that a vessel much thinner than a voxel leaves the faint trace it leaves in a CT.

    Args:
        starts, ends: (n, 3) reference points.
        radii: (n,) in mm.

    Returns:
        (X, Y, Z) float32, at most 1 up to sampling noise.
    """
    starts, ends = starts * grid.frame, ends * grid.frame
    step = 0.5 * grid.spacing.min()
    length = np.linalg.norm(ends - starts, axis=1)
    discs = np.maximum(1, np.ceil(length / step)).astype(int)
    dots = np.maximum(1, np.ceil(np.pi * radii**2 / step**2)).astype(int)
    samples = discs * dots
    tube = np.repeat(np.arange(len(radii)), samples)
    number = np.arange(len(tube)) - np.repeat(np.cumsum(samples) - samples, samples)
    disc, dot = number // dots[tube], number % dots[tube]
    tangent = (ends - starts) / np.maximum(length, 1e-6)[:, None]
    helper = np.eye(3)[np.abs(tangent).argmin(axis=1)]
    across = np.cross(tangent, helper)
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    second = np.cross(tangent, across)
    reach = radii[tube] * np.sqrt((dot + 0.5) / dots[tube])
    angle = dot * GOLDEN_ANGLE
    points = starts[tube] + ((disc + 0.5) / discs[tube] * length[tube])[:, None] * tangent[tube]
    points += (reach * np.cos(angle))[:, None] * across[tube] + (reach * np.sin(angle))[:, None] * second[tube]
    volume = (np.pi * radii**2 * length / samples)[tube] / grid.spacing.prod()
    index = np.rint((points - grid.first) / grid.spacing).astype(np.int64)
    shape = grid.tissue.shape
    inside = ((index >= 0) & (index < shape)).all(axis=1)
    flat = np.ravel_multi_index(index[inside].T, shape)
    return np.bincount(flat, weights=volume[inside], minlength=grid.tissue.size).astype(np.float32).reshape(shape)


def tube_mask(grid: Grid, *paths: tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
    """Voxels of which tubes fill about half or more, (X, Y, Z) bool."""
    starts, ends, radii = (np.concatenate(part) for part in zip(*paths, strict=True))
    return filled_share(grid, starts, ends, radii) > 0.42
