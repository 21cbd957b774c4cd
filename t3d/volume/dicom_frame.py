"""One DICOM file's header, and the slices that it holds: one, or many in a multi-frame (enhanced) file."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from t3d.errors import T3DError
from t3d.volume.in_words import in_words

TAGS = ["SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "Modality", "ImageType", "Rows",
        "Columns", "NumberOfFrames", "SamplesPerPixel", "BitsAllocated", "PixelSpacing", "ImagePositionPatient",
        "ImageOrientationPatient", "InstanceNumber", "AcquisitionNumber", "ImagesInAcquisition", "GantryDetectorTilt",
        "SliceThickness", "RescaleSlope", "RescaleIntercept", "ModalityLUTSequence",
        "DirectoryRecordSequence", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"]  # fmt: skip
_GROUPS = {
    "PixelSpacing": "PixelMeasuresSequence",
    "SliceThickness": "PixelMeasuresSequence",
    "ImagePositionPatient": "PlanePositionSequence",
    "ImageOrientationPatient": "PlaneOrientationSequence",
    "RescaleSlope": "PixelValueTransformationSequence",
    "RescaleIntercept": "PixelValueTransformationSequence",
}


@dataclass(frozen=True)
class Frame:
    """A slice as its header describes it.

    Attributes:
        file: where it is.
        index: its place in a multi-frame file; None in a file of one slice.
        number: InstanceNumber, or the frame's place from 1; None where there is none.
        size: rows, columns.
        spacing: (2,) mm between rows and between columns; None where it is missing, as the next two.
        orientation: (6,) direction cosines of a row and of a column (LPS).
        position: (3,) mm of the first voxel (LPS).
        thickness: mm or None.
        slope, intercept: stored values to HU.
        tilt: GantryDetectorTilt in degrees or None.
    """

    file: Path
    index: int | None
    series: str
    modality: str
    image_type: tuple[str, ...]
    samples: int
    number: int | None
    size: tuple[int, int]
    spacing: np.ndarray | None
    orientation: np.ndarray | None
    position: np.ndarray | None
    thickness: float | None
    slope: float
    intercept: float
    tilt: float | None


def known(numbers: np.ndarray | None) -> np.ndarray:
    """A spacing, orientation or position of a frame that was found to have it.

    Raises:
        ValueError: it has none.
    """
    if numbers is None:
        raise ValueError("a slice does not say where it lies")
    return numbers


def is_dicom(file: Path) -> bool:
    """Whether a file is DICOM: by the mark at byte 128, or, in old archives that lack it, by its first element."""
    with open(file, "rb") as stream:
        start = stream.read(132)
    if start[128:] == b"DICM":
        return True
    # group 0002 or 0008, little endian; then two letters of an explicit VR, or the length of a short first element
    if len(start) < 132 or start[:2] not in (b"\x02\0", b"\x08\0") or start[3] != 0:
        return False
    explicit = start[4:6].isalpha() and start[4:6].isupper()
    return explicit or int.from_bytes(start[4:8], "little") <= 64


def read_header(file: Path, who: str) -> tuple[Any, int]:
    """What ``TAGS`` names of a file, as pydicom's data set, and the number of bytes after the header.

    Raises:
        T3DError: unreadable, or pydicom is not installed.
    """
    pydicom = import_pydicom(who)
    with in_words(f"{who}:", file.name), open(file, "rb") as stream:
        data = pydicom.dcmread(stream, force=True, stop_before_pixels=True, specific_tags=TAGS)
        return _with_syntax(pydicom, data), file.stat().st_size - stream.tell()


def read_dataset(file: Path, who: str) -> Any:
    """pydicom's data set of a file with its voxels, also of one without preamble.

    Raises:
        T3DError: unreadable, or pydicom is not installed.
    """
    pydicom = import_pydicom(who)
    with in_words(f"{who}:", file.name):
        return _with_syntax(pydicom, pydicom.dcmread(file, force=True))


def _with_syntax(pydicom: Any, data: Any) -> Any:
    """The data set; without a file meta group, what the reader found says how its values are written."""
    if "TransferSyntaxUID" not in getattr(data, "file_meta", {}):
        implicit = data.original_encoding[0] if hasattr(data, "original_encoding") else data.is_implicit_VR
        data.file_meta = pydicom.dataset.FileMetaDataset()
        data.file_meta.TransferSyntaxUID = (
            pydicom.uid.ImplicitVRLittleEndian if implicit else pydicom.uid.ExplicitVRLittleEndian
        )
    return data


def frames_of(file: Path, who: str, data: Any, rest: int) -> Iterator[Frame]:
    """The slices of a file's header, with the bytes that follow it; see ``read_header``.

    Raises:
        T3DError: the file is shorter than its header says, or an attribute is no number.
    """
    count = int(data.get("NumberOfFrames") or 1)
    shared = (data.get("SharedFunctionalGroupsSequence") or [None])[0]
    each = data.get("PerFrameFunctionalGroupsSequence") or []
    if count > 1 and len(each) != count:
        raise T3DError(
            f"{file.name} is a multi-frame file of {count} frames whose places it does not say "
            f"({len(each)} frames are described); convert the series to NIfTI, for example with dcm2niix.",
            who=f"{who}:",
        )
    _long_enough(file, who, data, count, rest)
    multiple = bool(each)
    for place in range(count):
        sources = [*([each[place]] if multiple else []), *([shared] if shared is not None else [])]
        yield Frame(
            file=file,
            index=place if count > 1 else None,
            series=str(data.get("SeriesInstanceUID", "none")),
            modality=str(data.get("Modality", "unknown")),
            image_type=tuple(str(word).upper() for word in np.atleast_1d(data.get("ImageType") or [])),
            samples=int(data.get("SamplesPerPixel") or 1),
            number=place + 1 if count > 1 else _whole(data.get("InstanceNumber")),
            size=(int(data.Rows), int(data.Columns)),
            spacing=_numbers(data, sources, "PixelSpacing", 2),
            orientation=_numbers(data, sources, "ImageOrientationPatient", 6),
            position=_numbers(data, sources, "ImagePositionPatient", 3),
            thickness=_number(data, sources, "SliceThickness"),
            slope=_number_or(data, sources, "RescaleSlope", 1.0),
            intercept=_number_or(data, sources, "RescaleIntercept", 0.0),
            tilt=_number(data, [], "GantryDetectorTilt"),
        )


def import_pydicom(who: str) -> Any:
    """The module pydicom.

    Raises:
        T3DError: it is not installed.
    """
    try:
        import pydicom
    except ImportError as error:
        raise T3DError("reading DICOM needs pydicom; run pip install pydicom.", who=f"{who}:") from error
    return pydicom


def _long_enough(file: Path, who: str, data: Any, count: int, rest: int) -> None:
    """Refuse a file that was cut off: pydicom says nothing before the voxels are asked for."""
    syntax = data.file_meta.TransferSyntaxUID
    if syntax.is_compressed or syntax.is_deflated:
        return
    bits = int(data.Rows) * int(data.Columns) * count * int(data.get("SamplesPerPixel") or 1)
    needed = bits * int(data.get("BitsAllocated") or 16) // 8
    # the voxels' own tag and length come first
    if rest < needed + 8:
        raise T3DError(
            f"{file.name} is truncated: its header promises {needed} bytes of voxels, {max(0, rest - 8)} "
            "follow; copy it again.",
            who=f"{who}:",
        )


def _value(data: Any, sources: list, name: str) -> Any:
    for source in sources:
        group = source.get(_GROUPS[name]) or []
        if len(group) and group[0].get(name) is not None:
            return group[0].get(name)
    return data.get(name)


def _numbers(data: Any, sources: list, name: str, length: int) -> np.ndarray | None:
    value = _value(data, sources, name)
    if value is None or value == "":
        return None
    numbers = np.array([float(part) for part in value], dtype=np.float64)
    return numbers if numbers.shape == (length,) and np.isfinite(numbers).all() else None


def _number(data: Any, sources: list, name: str) -> float | None:
    value = _value(data, sources, name)
    return None if value is None or value == "" else float(value)


def _number_or(data: Any, sources: list, name: str, default: float) -> float:
    found = _number(data, sources, name)
    return default if found is None else found


def _whole(value: Any) -> int | None:
    return None if value is None or value == "" else int(value)
