"""Whether a folder of DICOM files is one complete series that readers turn into the right volume."""

import logging
from collections import Counter
from pathlib import Path

import numpy as np

from t3d.errors import T3DError

logger = logging.getLogger(__name__)

# Ours. Positions are often rounded to 0.1 mm, so equal gaps of 0.6 mm may be written as 0.5 to 0.7 mm.
GAP_TOLERANCE = 0.25
# Ours, in degrees: rounding of the direction cosines stays below it, tilted scans are at several degrees.
TILT_TOLERANCE = 0.5
_HEADER = ["SeriesInstanceUID", "SeriesDescription", "Modality", "Rows", "Columns", "NumberOfFrames", "PixelSpacing",
           "ImagePositionPatient", "ImageOrientationPatient", "InstanceNumber", "GantryDetectorTilt"]  # fmt: skip


def check_series(folder: str | Path) -> None:
    """Refuse a folder that is not one complete, straight, evenly spaced DICOM series; reads headers only.

    Warns in the log when the modality is not CT.

    Raises:
        T3DError: no image files; sub-folders or DICOM objects without an image among the slices; several series;
            multi-frame files; missing position or orientation; slices of different size, pixel spacing or
            orientation; a tilted gantry; missing or doubled slices; slice numbers that do not follow the
            positions (readers that sort by number would shuffle the volume); pydicom is not installed.
    """
    folder = Path(folder)
    who = f"DICOM folder {folder.name}"
    headers = _headers(folder, who)
    _one_series(headers, who)
    _equal_slices(headers, who)
    _even_positions(headers, who)
    modality = str(headers[0].get("Modality", "unknown"))
    if modality != "CT":
        logger.warning("%s: modality is %s, not CT; the network expects HU and its results mean little", who, modality)


def _headers(folder: Path, who: str) -> list:
    pydicom = _pydicom(who)
    images, others = [], Counter()
    for file in sorted(f for f in folder.iterdir() if not f.name.startswith(".")):
        if file.is_dir():
            raise T3DError(f"{who}: has the sub-folder {file.name}; keep only the files of one series in the folder.")
        try:
            header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=_HEADER)
        except pydicom.errors.InvalidDicomError:
            continue  # readers skip such files too
        except (OSError, EOFError, ValueError) as error:
            raise T3DError(f"{who}: {file.name} cannot be read ({type(error).__name__}); copy it again.") from error
        if "Rows" in header:
            images.append(header)
        elif file.name.upper() != "DICOMDIR":
            others[str(header.get("Modality", "unknown"))] += 1
    if not images:
        raise T3DError(f"{who}: has no DICOM image files; set the path to the folder with the slices of one series.")
    if others:
        found = ", ".join(f"{n} of modality {name}" for name, n in others.items())
        raise T3DError(f"{who}: has DICOM files without an image ({found}); move them out of the folder.")
    return images


def _one_series(headers: list, who: str) -> None:
    counts = Counter(str(h.get("SeriesInstanceUID", "none")) for h in headers)
    if len(counts) > 1:
        found = "; ".join(f"{uid} with {n} files" for uid, n in counts.items())
        raise T3DError(f"{who}: has {len(counts)} series ({found}); give each series a folder of its own.")
    if any(int(h.get("NumberOfFrames") or 1) > 1 for h in headers):
        raise T3DError(f"{who}: has multi-frame files; convert the series to NIfTI, for example with dcm2niix.")
    if len(headers) < 2:
        raise T3DError(f"{who}: has a single slice where a volume is needed; add the other slices of the series.")


def _equal_slices(headers: list, who: str) -> None:
    needed = ("PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient", "InstanceNumber")
    for name in needed:
        lacking = sum(h.get(name) is None for h in headers)
        if lacking:
            raise T3DError(f"{who}: {lacking} of {len(headers)} slices have no {name}; export the series again.")
    sizes = Counter((int(h.Rows), int(h.Columns)) for h in headers)
    if len(sizes) > 1:
        found = ", ".join(f"{n} of {rows} x {columns}" for (rows, columns), n in sizes.items())
        raise T3DError(f"{who}: has slices of different size ({found}); keep only those of one volume.")
    for name, tolerance in (("PixelSpacing", 1e-3), ("ImageOrientationPatient", 1e-3)):
        values = np.array([h[name].value for h in headers], dtype=float)
        odd = np.abs(values - values[0]).max(axis=1) > tolerance
        if odd.any():
            raise T3DError(
                f"{who}: slices differ in {name} ({_list(values[0])} and {_list(values[odd][0])}); "
                "keep only those of one volume."
            )


def _even_positions(headers: list, who: str) -> None:
    cosines = np.array(headers[0].ImageOrientationPatient, dtype=float)
    normal = np.cross(cosines[:3], cosines[3:])
    places = np.array([h.ImagePositionPatient for h in headers], dtype=float)
    order = np.argsort(places @ normal, kind="stable")
    places = places[order]
    gaps = np.diff(places @ normal)
    usual = float(np.median(gaps))
    numbers = np.array([int(h.InstanceNumber) for h in headers])[order]
    doubled = np.flatnonzero(gaps < 1e-3)
    if doubled.size:
        raise T3DError(
            f"{who}: slices {numbers[doubled[0]]} and {numbers[doubled[0] + 1]} are at the same position "
            f"({_list(places[doubled[0]])}); remove the doubled slices or the second phase."
        )
    axis = places[-1] - places[0]
    tilt = float(np.degrees(np.arccos(np.clip(axis @ normal / np.linalg.norm(axis), -1, 1))))
    if tilt > TILT_TOLERANCE:
        tag = headers[0].get("GantryDetectorTilt")
        said = f"; GantryDetectorTilt is {float(tag):g}" if tag is not None else ""
        raise T3DError(
            f"{who}: the gantry was tilted, slices are sheared by {tilt:.1f} degrees{said}; correct the tilt, for "
            "example with dcm2niix, and use the NIfTI file."
        )
    uneven = np.flatnonzero(np.abs(gaps - usual) > GAP_TOLERANCE * usual)
    if uneven.size:
        first = uneven[0]
        raise T3DError(
            f"{who}: slices are missing or unevenly spaced: {gaps[first]:.2f} mm between slices {numbers[first]} and "
            f"{numbers[first + 1]} where {usual:.2f} mm are usual ({uneven.size} such gaps); complete the series."
        )
    steps = np.diff(numbers)
    if not ((steps > 0).all() or (steps < 0).all()):
        raise T3DError(
            f"{who}: slice numbers (InstanceNumber) do not follow the slice positions, so readers would shuffle the "
            "volume; convert the series to NIfTI, for example with dcm2niix."
        )


def _pydicom(who: str):
    try:
        import pydicom
    except ImportError as error:
        raise T3DError(f"{who}: reading DICOM needs pydicom; run pip install pydicom.") from error
    return pydicom


def _list(values: np.ndarray) -> str:
    return "[" + ", ".join(f"{value:g}" for value in values) + "]"
