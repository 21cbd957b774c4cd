"""A folder of DICOM files: the slices in it, and which of its series is the CT."""

import logging
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from t3d.errors import T3DError
from t3d.volume.dicom_frame import Frame, frames_of, is_dicom, known, read_header
from t3d.volume.in_words import in_words, say_once

logger = logging.getLogger(__name__)

# Ours: with a second series of this share of the largest one's slices, size does not say which one is meant.
NEARLY_AS_LARGE = 0.8
_CLASSES = "1.2.840.10008.5.1.4.1.1."  # of what is stored: images, reports, segmentations ..


def folder_frames(folder: Path, who: str) -> list[Frame]:
    """The slices of all the DICOM image files directly in a folder, in the order of the file names.

    Objects without an image (reports, segmentations) and files of other kinds are left out; the former are logged.

    Raises:
        T3DError: sub-folders; files that are cut off or damaged, with their names; no image at all.
    """
    frames: list[Frame] = []
    others: Counter[str] = Counter()
    strange: list[Path] = []
    endings: set[str] = set()
    for file in sorted(f for f in folder.iterdir() if not f.name.startswith(".")):
        if file.is_dir():
            raise T3DError(
                f"has the sub-folder {file.name}; keep only the files of one series in the folder.", who=f"{who}:"
            )
        if file.name.upper() == "DICOMDIR":
            continue
        with in_words(f"{who}:", file.name):
            if not is_dicom(file):
                strange.append(file)
                continue
            endings.add(_ending(file))
            data, rest = read_header(file, who)
            if "Rows" in data and "Columns" in data:
                frames += frames_of(file, who, data, rest)
            elif _is_no_image(data):
                others[str(data.get("Modality", "unknown"))] += 1
            elif "DirectoryRecordSequence" not in data:
                raise T3DError(
                    f"DICOM file {file.name} is truncated or damaged: its header has no size; copy it again.",
                    who=f"{who}:",
                )
    _no_lost_slice(strange, endings, who)
    if not frames:
        raise T3DError(
            "has no DICOM image files; set the path to the folder with the slices of one series.", who=f"{who}:"
        )
    if others:
        found = ", ".join(f"{n} of modality {name}" for name, n in others.items())
        say_once(logger, f"{who}: left out DICOM files without an image ({found})")
    return frames


def one_series(frames: list[Frame], who: str) -> list[Frame]:
    """The slices of the CT: those of the only series, or of the clearly largest one; what is left out is logged.

    Localizers (scouts) and colour images never count beside others, nor do other modalities beside CT.

    Raises:
        T3DError: several series of about the same size, or one that goes on where another ends; a single slice.
    """
    chosen = frames
    # by series: a single slice of another modality among those of a CT is damaged, not left out
    of_ct = {frame.series for frame in frames if frame.modality == "CT"}
    for keep in (lambda f: "LOCALIZER" not in f.image_type, lambda f: f.samples == 1, lambda f: f.series in of_ct):
        chosen = [frame for frame in chosen if keep(frame)] or chosen
    groups = defaultdict(list)
    for frame in chosen:
        groups[frame.series].append(frame)
    by_size = sorted(groups.values(), key=len, reverse=True)
    largest = by_size[0]
    for other in by_size[1:]:
        if len(other) >= NEARLY_AS_LARGE * len(largest) or _goes_on(largest, other):
            found = "; ".join(f"{group[0].series} with {_files(group)}" for group in by_size)
            raise T3DError(f"has {len(groups)} series ({found}); give each series a folder of its own.", who=f"{who}:")
    if len(largest) < len(frames):
        left = len(frames) - len(largest)
        say_once(
            logger,
            f"{who}: took the series {largest[0].series} with {len(largest)} slices and left out {left} other "
            f"{'slice' if left == 1 else 'slices'} (localizers and smaller series)",
        )
    if len(largest) < 2:
        raise T3DError(
            "has a single slice where a volume is needed; add the other slices of the series.", who=f"{who}:"
        )
    if largest[0].samples != 1:
        raise T3DError("has colour images; export the series with one value a voxel.", who=f"{who}:")
    return largest


def _goes_on(one: list[Frame], other: list[Frame]) -> bool:
    """Whether the slices of a series lie where those of another one end, as parts of one scan do."""
    if any(f.position is None or f.orientation is None or f.size != one[0].size for f in (*one, *other)):
        return False
    cosines = known(one[0].orientation)
    if any(np.abs(known(f.orientation) - cosines).max() > 1e-3 for f in other) or len(one) < 2:
        return False
    normal = np.cross(cosines[:3], cosines[3:])
    first, second = (np.sort([known(f.position) @ normal for f in part]) for part in (one, other))
    gap = max(second[0] - first[-1], first[0] - second[-1])
    return bool(0 < gap <= 1.25 * np.median(np.diff(first)))


def _no_lost_slice(strange: list[Path], endings: set[str], who: str) -> None:
    """Refuse a file that is named like the slices and is binary, but no DICOM: it may be a damaged slice."""
    for file in strange:
        if _ending(file) not in endings:
            continue
        with open(file, "rb") as stream:
            start = stream.read(1024)
        if not start or b"\0" in start:
            raise T3DError(
                f"{file.name} is named like the slices but is no DICOM file ({file.stat().st_size} bytes), "
                "perhaps a damaged slice; copy it again or move it out of the folder.",
                who=f"{who}:",
            )


def _ending(file: Path) -> str:
    """The ending in lower case; a number is the end of an identifier, not an ending."""
    ending = file.suffix.lower()
    return "" if ending[1:].isdigit() else ending


def _is_no_image(data: Any) -> bool:
    """Whether a header that names no size is that of a report or the like, not that of a damaged slice."""
    return str(data.get("SOPClassUID", "")).startswith(_CLASSES) and str(data.get("Modality", "CT")) != "CT"


def _files(group: list[Frame]) -> str:
    count = len({frame.file for frame in group})
    return f"{count} files" if count == len(group) else f"{len(group)} frames in {count} files"
