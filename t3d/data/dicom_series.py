"""Cases for inference, with folders of DICOM files beside NIfTI files."""

from pathlib import Path

from t3d.data.datalist import find_cases
from t3d.data.datalist_checks import duplicate_cases, raise_faults
from t3d.data.dicom_checks import check_series
from t3d.errors import T3DError

# Endings of files that are surely no DICOM file, so that a folder of thousands of volumes is not opened.
_OTHER_FILES = (".nii", ".nii.gz", ".json", ".csv", ".tsv", ".txt", ".md", ".png", ".jpg", ".pt", ".npy")


def find_volumes(
    dataset_dir: str | Path, *, datalist_file: str | Path | None = None, split: str = "test"
) -> list[dict]:
    """Cases for inference: a list of a datalist, or the NIfTI files and DICOM series of a folder.

    The datalist is `datalist_file`, else `dataset_dir/datalist.json` where it exists; its `image` entries may be
    folders of one DICOM series. Without one, `dataset_dir` itself may hold the DICOM files of one series; or the
    cases are its sub-folders that hold DICOM files, and the NIfTI files that `find_cases` finds. The `case_id`
    of a series is its folder's name. MONAI's `LoadImage` reads such a folder through pydicom, or ITK where that is
    installed; `check_item` says beforehand whether it is one complete series.

    Returns:
        Dicts with `case_id`, `patient_id` and `image`, an absolute path.

    Raises:
        T3DError: no cases, two cases of one name, DICOM and NIfTI files side by side in `dataset_dir`, or any
            fault of the datalist.
    """
    folder = Path(dataset_dir).expanduser().absolute()
    if datalist_file or (folder / "datalist.json").is_file() or not folder.is_dir():
        return find_cases(dataset_dir, datalist_file=datalist_file, split=split)
    has_nifti = any(_is_nifti(file) for place in (folder, folder / "images") for file in _visible(place))
    if holds_dicom(folder):
        if has_nifti:
            raise T3DError(
                f"{folder} holds DICOM files and NIfTI files; put the DICOM files of each series into a folder of "
                "their own."
            )
        return [_series(folder)]
    series = [_series(place) for place in _visible(folder) if place.is_dir() and holds_dicom(place)]
    if not series and not has_nifti:
        raise T3DError(
            f"{folder} holds neither datalist.json, nor .nii or .nii.gz files (nor does its images folder), nor "
            "DICOM files, nor folders with DICOM files directly in them; set dataset_dir to the folder with the "
            "volumes."
        )
    items = (find_cases(folder) if has_nifti else []) + series
    raise_faults(duplicate_cases({folder.name: items}), folder.name)
    return sorted(items, key=lambda item: item["case_id"])


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
    return any(_is_dicom(file) for file in _visible(folder))


def dicom_files(folder: Path) -> list[Path]:
    """The DICOM files directly in a folder, in the order of their names."""
    return [file for file in _visible(folder) if _is_dicom(file)]


def _series(folder: Path) -> dict:
    return {"case_id": folder.name, "patient_id": folder.name, "image": str(folder)}


def _visible(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if not p.name.startswith(".")) if folder.is_dir() else []


def _is_nifti(file: Path) -> bool:
    return file.is_file() and file.name.endswith((".nii", ".nii.gz"))


def _is_dicom(file: Path) -> bool:
    if not file.is_file() or file.name.upper() == "DICOMDIR" or file.name.lower().endswith(_OTHER_FILES):
        return False
    with open(file, "rb") as stream:
        stream.seek(128)
        return stream.read(4) == b"DICM"
