"""Where the slices of a DICOM series lie: one grid of voxels, with the shear of a tilted gantry in its affine."""

import logging
from collections import Counter
from dataclasses import dataclass

import numpy as np

from t3d.errors import T3DError
from t3d.volume.dicom_frame import Frame, known
from t3d.volume.in_words import say_once

logger = logging.getLogger(__name__)

# Ours. Positions are often rounded to 0.1 mm, so equal gaps of 0.6 mm may be written as 0.5 to 0.7 mm.
GAP_TOLERANCE = 0.25
# Ours, in degrees: rounding of the direction cosines stays below it, tilted scans are at several degrees.
TILT_TOLERANCE = 0.5
# Ours: a gap of this many usual ones between slices that follow each other by number is no lost slice, nor is one
# that the thickness of its slices spans, nor one of several equal gaps in a row (a protocol that changes on the way).
UNEVEN, EQUAL_GAPS = 1.5, 3
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class SeriesGrid:
    """The voxels of a series.

    Attributes:
        frames: in the order of their positions, along the normal of the slices.
        affine: (4, 4), voxels (column, row, slice) to RAS millimetres; sheared where the gantry was tilted.
        shape: columns, rows, slices.
        places: (slices,) where each slice of the volume lies between the frames, 0 to ``len(frames) - 1``; whole
            numbers unless the frames are unevenly spaced and the volume is interpolated.
    """

    frames: tuple[Frame, ...]
    affine: np.ndarray
    shape: tuple[int, int, int]
    places: np.ndarray


def series_grid(frames: list[Frame], who: str) -> SeriesGrid:
    """The grid of one series.

    Positions alone decide: names, slice numbers, thickness, dates and series numbers are not believed.

    Raises:
        T3DError: slices without a place, or of different size, pixel spacing or orientation; at one position;
            shifted sideways; slices that are missing.
    """
    _equal_slices(frames, who)
    cosines, spacing = known(frames[0].orientation), known(frames[0].spacing)
    normal = np.cross(cosines[:3], cosines[3:])
    frames = sorted(frames, key=lambda frame: float(known(frame.position) @ normal))
    places = np.array([known(frame.position) for frame in frames])
    along = places @ normal
    gaps = np.diff(along)
    _one_slice_each(frames, gaps, who)
    count = _even_count(frames, gaps, who)
    axis = places[-1] - places[0]
    astray = places - places[0] - np.outer((along - along[0]) / (along[-1] - along[0]), axis)
    if np.abs(astray).max() > max(0.5, *spacing):
        raise T3DError(
            f"slices are shifted sideways by up to {np.abs(astray).max():.1f} mm; keep only those of one volume.",
            who=f"{who}:",
        )
    _say_tilt(frames, axis, normal, who)
    rows, columns = frames[0].size
    affine = np.eye(4)
    affine[:3, 0] = cosines[:3] * spacing[1]
    affine[:3, 1] = cosines[3:] * spacing[0]
    affine[:3, 2] = axis / (count - 1)
    affine[:3, 3] = places[0]
    if count == len(frames):
        between = np.arange(count, dtype=np.float64)
    else:
        between = np.interp(np.linspace(along[0], along[-1], count), along, np.arange(len(frames)))
    return SeriesGrid(tuple(frames), _LPS_TO_RAS @ affine, (columns, rows, count), between)


def _equal_slices(frames: list[Frame], who: str) -> None:
    named = {"PixelSpacing": "spacing", "ImagePositionPatient": "position", "ImageOrientationPatient": "orientation"}
    for name, field in named.items():
        lacking = [frame for frame in frames if getattr(frame, field) is None]
        if lacking:
            raise T3DError(
                f"{len(lacking)} of {len(frames)} slices have no {name} ({_names(lacking)}); export the series again.",
                who=f"{who}:",
            )
    sizes = Counter(frame.size for frame in frames)
    if len(sizes) > 1:
        found = ", ".join(f"{n} of {rows} x {columns}" for (rows, columns), n in sizes.items())
        raise T3DError(f"has slices of different size ({found}); keep only those of one volume.", who=f"{who}:")
    for name in ("PixelSpacing", "ImageOrientationPatient"):
        values = np.array([getattr(frame, named[name]) for frame in frames])
        usual = np.median(values, axis=0)
        odd = np.flatnonzero(np.abs(values - usual).max(axis=1) > 1e-3)
        if odd.size:
            raise T3DError(
                f"slices differ in {name} ({_list(usual)} and {_list(values[odd[0]])} in "
                f"{_names([frames[n] for n in odd])}); keep only those of one volume.",
                who=f"{who}:",
            )
    cosines, spacing = known(frames[0].orientation), known(frames[0].spacing)
    if (spacing <= 0).any() or abs(np.linalg.norm(np.cross(cosines[:3], cosines[3:])) - 1) > 1e-2:
        raise T3DError("has a spacing or an orientation that is none; export the series again.", who=f"{who}:")


def _one_slice_each(frames: list[Frame], gaps: np.ndarray, who: str) -> None:
    doubled = np.flatnonzero(gaps < 1e-3)
    if doubled.size:
        first, second = frames[doubled[0]], frames[doubled[0] + 1]
        raise T3DError(
            f"{_pair(first, second)} are at the same position ({_list(known(first.position))}); remove the "
            "doubled slices or the second phase.",
            who=f"{who}:",
        )


def _even_count(frames: list[Frame], gaps: np.ndarray, who: str) -> int:
    """How many evenly spaced slices hold the series: as many as there are, or more where they lie unevenly."""
    usual = float(np.median(gaps))
    uneven = np.abs(gaps - usual) > GAP_TOLERANCE * usual
    if not uneven.any():
        return len(frames)
    wide = np.flatnonzero(gaps > (1 + GAP_TOLERANCE) * usual).tolist()
    lost = [n for n in wide if not _spanned(frames, gaps, usual, n)]
    if lost:
        first = lost[0]
        raise T3DError(
            f"slices are missing: {gaps[first]:.2f} mm between {_pair(frames[first], frames[first + 1])} where "
            f"{usual:.2f} mm are usual ({len(lost)} such gaps); complete the series.",
            who=f"{who}:",
        )
    span = float(gaps.sum())
    finest = max(float(gaps.min()), usual / 2)
    count = int(np.ceil(span / finest - 1e-3)) + 1
    say_once(
        logger,
        f"{who}: slices are {gaps.min():.2f} to {gaps.max():.2f} mm apart; they are interpolated to {count} slices "
        f"{span / (count - 1):.2f} mm apart",
    )
    return count


def _spanned(frames: list[Frame], gaps: np.ndarray, usual: float, place: int) -> bool:
    """Whether a wide gap is how the series was taken, not where slices were lost."""
    first, second = frames[place], frames[place + 1]
    if first.number is None or second.number is None or abs(first.number - second.number) != 1:
        return False
    if gaps[place] <= UNEVEN * usual:
        return True
    thickness = [frame.thickness for frame in (first, second) if frame.thickness is not None]
    if thickness and gaps[place] <= (1 + GAP_TOLERANCE) * max(thickness):
        return True
    alike = np.abs(gaps - gaps[place]) <= 0.05 * gaps[place]
    start = stop = place
    while start > 0 and alike[start - 1]:
        start -= 1
    while stop + 1 < len(gaps) and alike[stop + 1]:
        stop += 1
    return stop - start + 1 >= EQUAL_GAPS


def _say_tilt(frames: list[Frame], axis: np.ndarray, normal: np.ndarray, who: str) -> None:
    tilt = float(np.degrees(np.arccos(np.clip(axis @ normal / np.linalg.norm(axis), -1, 1))))
    if tilt > TILT_TOLERANCE:
        tag = frames[0].tilt
        said = f" (GantryDetectorTilt is {tag:g})" if tag is not None else ""
        say_once(
            logger,
            f"{who}: the gantry was tilted, slices are sheared by {tilt:.1f} degrees{said}; the affine says so, and "
            "resampling straightens the volume",
        )


def _pair(first: Frame, second: Frame) -> str:
    return f"slices {first.number or '?'} and {second.number or '?'} ({_names([first, second])})"


def _names(frames: list[Frame]) -> str:
    names = list(dict.fromkeys(frame.file.name for frame in frames))
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _list(values: np.ndarray) -> str:
    return "[" + ", ".join(f"{value:g}" for value in values) + "]"
