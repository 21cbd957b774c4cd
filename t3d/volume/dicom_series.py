"""A DICOM series as one volume: the only reader of DICOM, whatever MONAI or ITK would make of the folder."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import DTypeLike

from t3d.errors import T3DError
from t3d.volume.dicom_folder import folder_frames, one_series
from t3d.volume.dicom_frame import Frame, frames_of, is_dicom, read_dataset, read_header
from t3d.volume.dicom_grid import SeriesGrid, series_grid
from t3d.volume.in_words import in_words, say_once

logger = logging.getLogger(__name__)

# Endings of files that are surely no DICOM file, so that a folder of thousands of volumes is not opened.
_OTHER_FILES = (".nii", ".nii.gz", ".json", ".csv", ".tsv", ".txt", ".md", ".png", ".jpg", ".pt", ".npy", ".b2nd")


class SeriesVoxels:
    """The voxels of a series in HU, read slice by slice when asked for; nibabel takes it for an array.

    Attributes:
        shape: columns, rows, slices.
        dtype: float32.
    """

    ndim, dtype = 3, np.dtype(np.float32)

    def __init__(self, grid: SeriesGrid, who: str) -> None:
        self.grid, self.who, self.shape = grid, who, grid.shape
        self._frames: dict[int, np.ndarray] = {}
        self._multi: tuple[Path, np.ndarray] | None = None

    def __getitem__(self, box: Any) -> np.ndarray:
        """The voxels of a box given by slices or numbers; only its slices are read.

        Raises:
            T3DError: names the file that cannot be read.
        """
        box = box if isinstance(box, tuple) else (box,)
        start, rest = (box[: box.index(...)], box[box.index(...) + 1 :]) if ... in box else (box, ())
        box = (*start, *[slice(None)] * (3 - len(start) - len(rest)), *rest)
        across, along = box[:2], box[2]
        if not isinstance(along, slice):
            return self._slice(range(self.shape[2])[along])[across]
        wanted = range(self.shape[2])[along]
        planes = [self._slice(place)[across] for place in wanted]
        return np.stack(planes, axis=-1) if planes else np.empty((*self.shape[:2], 0), np.float32)[across]

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        """All voxels."""
        whole = self[:, :, :]
        return whole if dtype is None else whole.astype(dtype)

    def _slice(self, place: int) -> np.ndarray:
        """(columns, rows) float32 of one slice of the volume."""
        between = float(self.grid.places[place])
        below = int(between + 1e-6)
        share = between - below
        self._frames = {n: values for n, values in self._frames.items() if n in (below, below + 1)}
        plane = self._frame(below)
        return plane if share < 1e-6 else plane * np.float32(1 - share) + self._frame(below + 1) * np.float32(share)

    def _frame(self, number: int) -> np.ndarray:
        if number not in self._frames:
            frame = self.grid.frames[number]
            with in_words(f"{self.who}:", frame.file.name):
                stored = self._stored(frame)
                if stored.shape != frame.size:
                    raise T3DError(
                        f"{frame.file.name} holds {stored.shape} voxels, not {frame.size}.", who=f"{self.who}:"
                    )
                self._frames[number] = (stored.T * np.float64(frame.slope) + frame.intercept).astype(np.float32)
        return self._frames[number]

    def _stored(self, frame: Frame) -> np.ndarray:
        if frame.index is None:
            return read_dataset(frame.file, self.who).pixel_array
        if self._multi is None or self._multi[0] != frame.file:
            self._multi = (frame.file, read_dataset(frame.file, self.who).pixel_array)
        return self._multi[1][frame.index]


def open_series(path: str | Path) -> nib.Nifti1Image:
    """A folder of DICOM files, or one multi-frame file, as an image whose voxels are read when they are asked for.

    Headers are read at once: number, place, spacing and size of the slices come from them alone, and every slice
    that they promise is read or named. The third axis runs along the normal of the slices.

    - Several series: the largest CT is taken, and said in the log.
    - A tilted gantry: nothing is resampled; the affine is sheared, as the voxels are.
    - Unevenly spaced slices: interpolated along the third axis to even ones, and said in the log.

    Raises:
        T3DError: no image; series of about the same size; slices that are cut off, missing, doubled, or of another
            size, spacing or orientation than the others; pydicom is not installed.
    """
    path = Path(path)
    who = f"DICOM {'folder' if path.is_dir() else 'file'} {path.name}"
    frames = one_series(folder_frames(path, who) if path.is_dir() else _file_frames(path, who), who)
    modality = frames[0].modality
    if modality != "CT":
        say_once(logger, f"{who}: modality is {modality}, not CT; the network expects HU and its results mean little")
    grid = series_grid(frames, who)
    return nib.Nifti1Image(SeriesVoxels(grid, who), grid.affine, dtype=np.float32)


def check_series(folder: str | Path) -> None:
    """Refuse a folder that ``open_series`` refuses; reads headers only."""
    open_series(folder)


def check_item(item: dict) -> None:
    """Refuse an item whose image is a folder that is not one complete DICOM series; other items pass.

    Raises:
        T3DError: names the case, what is wrong with the folder and the remedy.
    """
    image = item.get("image")
    if isinstance(image, str | Path) and Path(image).is_dir():
        try:
            check_series(image)
        except T3DError as error:
            raise T3DError(f"case {item.get('case_id', Path(image).name)}: {error}") from None


def holds_dicom(folder: Path) -> bool:
    """Whether a folder has DICOM files directly in it (a DICOMDIR does not count)."""
    return any(_is_dicom(file) for file in visible(folder))


def dicom_files(folder: Path) -> list[Path]:
    """The DICOM files directly in a folder, in the order of their names."""
    return [file for file in visible(folder) if _is_dicom(file)]


def visible(folder: Path) -> Sequence[Path]:
    """What lies directly in a folder and is not hidden, in the order of the names; nothing without a folder."""
    return sorted(p for p in folder.iterdir() if not p.name.startswith(".")) if folder.is_dir() else []


def _file_frames(file: Path, who: str) -> list[Frame]:
    with in_words(who):
        data, rest = read_header(file, who)
        if "Rows" not in data:
            raise T3DError("has no image; set the path to the folder with the slices of one series.", who=f"{who}:")
        frames = list(frames_of(file, who, data, rest))
    if len(frames) < 2:
        raise T3DError("is one slice of a series; set the path to the folder with all its slices.", who=f"{who}:")
    return frames


def _is_dicom(file: Path) -> bool:
    if not file.is_file() or file.name.upper() == "DICOMDIR" or file.name.lower().endswith(_OTHER_FILES):
        return False
    return is_dicom(file)
