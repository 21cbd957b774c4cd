"""Resampling slice by slice: the values of MONAI's Spacing without a second copy of the volume."""

from collections.abc import Iterable, Iterator

import numpy as np
from nibabel.orientations import apply_orientation
from scipy.ndimage import affine_transform

from t3d.volume.grid import PreparedGrid

_SHEARED_SLICES = 16
Blocks = Iterable[tuple[int, np.ndarray]]


def resampled(blocks: Blocks, grid: PreparedGrid, *, nearest: bool) -> Iterator[tuple[int, int, np.ndarray]]:
    """Parts of the volume on its prepared grid, each a few planes thick.

    Trilinear interpolation is linear interpolation along one axis after the other, so a straight grid needs only
    the source slices on both sides of a plane. With shear the source is held whole and resampled in slabs.
    Values equal MONAI's ``Spacing`` (bilinear or nearest, border padding) but for float32 rounding, and for nearest
    neighbours but for voxels halfway between two.

    Args:
        blocks: first slice and voxels (X, Y, few) of the file, in its order.
        grid: see ``prepared_grid``.
        nearest: for labels; values keep their type. Otherwise float32.

    Yields:
        The axis along which the parts follow each other (up or down), the first plane on it, and the voxels
        (R, A, S), whole along the other two axes.
    """
    if not grid.straight:
        yield from _sheared(blocks, grid, nearest)
        return
    along, sign = int(grid.turn[2, 0]), int(grid.turn[2, 1])
    flat = [axis for axis in range(3) if axis != along]
    places = [_places(grid, axis, nearest) for axis in range(3)]
    low, weight = places[along]
    high = np.minimum(low + 1, grid.turned_shape[along] - 1) if weight.any() else low
    held, first = None, 0
    done = 0 if sign > 0 else grid.shape[along]
    for start, block in blocks:
        planes = _turned_planes(block, grid, flat, nearest)
        for number, axis in enumerate(flat):
            planes = _between(planes, number, *places[axis])
        if sign < 0:
            start = grid.turned_shape[along] - start - planes.shape[2]
        # Planes are held in turned order: `first` is the turned index of the first one.
        if held is None:
            held, first = planes, start
        elif sign > 0:
            held = np.concatenate([held, planes], axis=2)
        else:
            held, first = np.concatenate([planes, held], axis=2), start
        last = first + held.shape[2] - 1
        if sign > 0:
            stop = int(np.searchsorted(high, last, side="right"))
            begin, done = done, max(done, stop)
            ready = (begin, done)
        else:
            begin = int(np.searchsorted(low, first, side="left"))
            ready = (min(begin, done), done)
            done = ready[0]
        if ready[1] > ready[0]:
            part = slice(*ready)
            found = _between(held, 2, low[part] - first, weight[part])
            yield along, ready[0], np.moveaxis(found, 2, along)
        held, first = _still_needed(held, first, sign, low, high, done)


def _turned_planes(block: np.ndarray, grid: PreparedGrid, flat: list[int], nearest: bool) -> np.ndarray:
    """(first flat axis, second flat axis, slices) in turned order, contiguous."""
    flips = tuple(slice(None, None, int(sign)) for sign in grid.turn[:, 1])
    block = block[flips]
    if int(grid.turn[0, 0]) != flat[0]:
        block = block.transpose(1, 0, 2)
    # With the slices innermost, interpolating along the other axes moves whole rows of memory.
    return np.ascontiguousarray(block, dtype=block.dtype if nearest else np.float32)


def _places(grid: PreparedGrid, axis: int, nearest: bool) -> tuple[np.ndarray, np.ndarray]:
    """For each prepared voxel along an axis the source voxel below it, and the weight of the one above."""
    size = grid.turned_shape[axis]
    place = np.arange(grid.shape[axis]) * grid.to_source[axis, axis] + grid.to_source[axis, 3]
    place = np.clip(place, 0, size - 1)
    if nearest:
        return np.rint(place).astype(np.int64), np.zeros(len(place), dtype=np.float32)
    low = np.floor(place).astype(np.int64)
    return low, (place - low).astype(np.float32)


def _between(values: np.ndarray, axis: int, low: np.ndarray, weight: np.ndarray) -> np.ndarray:
    if not weight.any():
        whole = len(low) == values.shape[axis] and np.array_equal(low, np.arange(len(low)))
        return values if whole else values.take(low, axis=axis)
    below = values.take(low, axis=axis)
    above = values.take(np.minimum(low + 1, values.shape[axis] - 1), axis=axis)
    above -= below
    above *= weight.reshape([-1 if number == axis else 1 for number in range(3)])
    below += above
    return below


def _still_needed(
    held: np.ndarray, first: int, sign: int, low: np.ndarray, high: np.ndarray, done: int
) -> tuple[np.ndarray, int]:
    """The held planes that a later part needs, always at least the newest."""
    if sign > 0:
        keep = low[done] if done < len(low) else first + held.shape[2] - 1
        drop = int(np.clip(keep - first, 0, held.shape[2] - 1))
        return held[:, :, drop:], first + drop
    keep = high[done - 1] if done > 0 else first
    count = int(np.clip(keep - first + 1, 1, held.shape[2]))
    return held[:, :, :count], first


def _sheared(blocks: Blocks, grid: PreparedGrid, nearest: bool) -> Iterator[tuple[int, int, np.ndarray]]:
    whole = np.concatenate([block for _, block in blocks], axis=2)
    turned = apply_orientation(whole, grid.turn)
    matrix, offset = grid.to_source[:3, :3], grid.to_source[:3, 3]
    for start in range(0, grid.shape[2], _SHEARED_SLICES):
        thick = min(_SHEARED_SLICES, grid.shape[2] - start)
        yield (
            2,
            start,
            affine_transform(
                turned,
                matrix,
                offset=offset + matrix @ np.array([0, 0, start]),
                output_shape=(*grid.shape[:2], thick),
                output=turned.dtype if nearest else np.float32,
                order=0 if nearest else 1,
                mode="nearest",
            ),
        )
