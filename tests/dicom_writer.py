"""Writes DICOM series for tests, with the attributes that scanners write."""

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian, generate_uid


def write_series(
    folder: Path,
    hu: np.ndarray,
    *,
    spacing=(0.8, 0.6, 2.5),
    origin=(-100.0, -80.0, 40.0),
    row=(1.0, 0.0, 0.0),
    column=(0.0, 1.0, 0.0),
    step=None,
    numbers=None,
    series=None,
    modality="CT",
    skip=(),
    prefix="slice",
    **attributes,
) -> np.ndarray:
    """Write HU values (columns, rows, slices), slope 2, intercept -1024; return the affine, voxels to RAS mm.

    ``spacing`` is mm along columns, rows and slices; ``step`` the offset between slices (LPS), by default along the
    normal. File names are in an order of their own, as on real disks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    row, column = np.array(row), np.array(column)
    step = np.cross(row, column) * spacing[2] if step is None else np.array(step)
    series = series or generate_uid()
    count = hu.shape[2]
    numbers = list(range(1, count + 1)) if numbers is None else numbers
    for place in range(count):
        if place in skip:
            continue
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = CTImageStorage, ExplicitVRLittleEndian
        meta.MediaStorageSOPInstanceUID = generate_uid()
        name = f"{prefix}_{(place * 7) % count:03d}_{place:03d}.dcm"
        data = FileDataset(str(folder / name), {}, file_meta=meta, preamble=b"\0" * 128, is_implicit_VR=False)
        data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
        data.SeriesInstanceUID, data.Modality = series, modality
        data.PatientName = "Secret^Person"
        data.InstanceNumber = numbers[place]
        data.ImagePositionPatient = [f"{v:.6f}" for v in np.array(origin) + place * step]
        data.ImageOrientationPatient = [f"{v:.8f}" for v in (*row, *column)]
        data.PixelSpacing = [spacing[1], spacing[0]]  # between rows, then between columns
        data.SliceThickness = spacing[2]
        data.RescaleSlope, data.RescaleIntercept = 2, -1024
        stored = np.rint((hu[:, :, place].T + 1024) / 2).astype(np.uint16)
        data.Rows, data.Columns = stored.shape
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 0
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.PixelData = stored.tobytes()
        for key, value in attributes.items():
            setattr(data, key, value)
        data.save_as(folder / name)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = row * spacing[0], column * spacing[1], step
    affine[:3, 3] = origin
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine  # LPS to RAS


def ct(shape=(12, 10, 6), *, seed=0) -> np.ndarray:
    """Even HU values between -1024 and 1976, all different enough to show a wrong axis or order."""
    return np.random.default_rng(seed).integers(0, 1500, shape) * 2.0 - 1024


def write_enhanced(file: Path, hu: np.ndarray, *, spacing=(0.8, 0.6, 2.5), origin=(-100.0, -80.0, 40.0), order=None):
    """Write HU values (columns, rows, slices) as one enhanced CT file, frames in ``order``; return the affine."""
    file.parent.mkdir(parents=True, exist_ok=True)
    order = list(range(hu.shape[2])) if order is None else order
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = EnhancedCTImageStorage, ExplicitVRLittleEndian
    meta.MediaStorageSOPInstanceUID = generate_uid()
    data = FileDataset(str(file), {}, file_meta=meta, preamble=b"\0" * 128, is_implicit_VR=False)
    data.SOPClassUID, data.SOPInstanceUID = EnhancedCTImageStorage, meta.MediaStorageSOPInstanceUID
    data.SeriesInstanceUID, data.Modality, data.InstanceNumber = generate_uid(), "CT", 1
    data.PatientName = "Secret^Person"
    data.SharedFunctionalGroupsSequence = [
        _group(
            PixelMeasuresSequence={"PixelSpacing": [spacing[1], spacing[0]], "SliceThickness": spacing[2]},
            PlaneOrientationSequence={"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]},
            PixelValueTransformationSequence={"RescaleSlope": 2, "RescaleIntercept": -1024, "RescaleType": "HU"},
        )
    ]
    places = [[origin[0], origin[1], origin[2] + place * spacing[2]] for place in order]
    data.PerFrameFunctionalGroupsSequence = [
        _group(PlanePositionSequence={"ImagePositionPatient": place}) for place in places
    ]
    stored = np.rint((hu[:, :, order].T + 1024) / 2).astype(np.uint16)
    data.NumberOfFrames, data.Rows, data.Columns = stored.shape
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 0
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.PixelData = stored.tobytes()
    data.save_as(file)
    affine = np.diag([-spacing[0], -spacing[1], spacing[2], 1.0])
    affine[:3, 3] = (-origin[0], -origin[1], origin[2])
    return affine


def _group(**sequences) -> Dataset:
    group = Dataset()
    for name, values in sequences.items():
        item = Dataset()
        for key, value in values.items():
            setattr(item, key, value)
        setattr(group, name, [item])
    return group
