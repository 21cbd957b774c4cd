"""Folders of DICOM files: which files of them are DICOM, and whether they are one complete series."""

from pathlib import Path

from t3d.errors import T3DError
from t3d.volume.dicom_checks import check_series

# Endings of files that are surely no DICOM file, so that a folder of thousands of volumes is not opened.
_OTHER_FILES = (".nii", ".nii.gz", ".json", ".csv", ".tsv", ".txt", ".md", ".png", ".jpg", ".pt", ".npy")


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
    """Whether a folder has DICOM files directly in it, by the mark at byte 128 (a DICOMDIR does not count)."""
    return any(_is_dicom(file) for file in visible(folder))


def dicom_files(folder: Path) -> list[Path]:
    """The DICOM files directly in a folder, in the order of their names."""
    return [file for file in visible(folder) if _is_dicom(file)]


def visible(folder: Path) -> list[Path]:
    """What lies directly in a folder and is not hidden, in the order of the names; nothing without a folder."""
    return sorted(p for p in folder.iterdir() if not p.name.startswith(".")) if folder.is_dir() else []


def _is_dicom(file: Path) -> bool:
    if not file.is_file() or file.name.upper() == "DICOMDIR" or file.name.lower().endswith(_OTHER_FILES):
        return False
    with open(file, "rb") as stream:
        stream.seek(128)
        return stream.read(4) == b"DICM"
