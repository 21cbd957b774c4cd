"""Cases for inference: a list of a datalist, or the NIfTI files and DICOM series of a folder."""

from pathlib import Path

from t3d.data.datalist import load_datalist
from t3d.data.datalist_checks import duplicate_cases, file_faults
from t3d.errors import T3DError, raise_faults
from t3d.volume.dicom_series import holds_dicom, visible

_NIFTI = (".nii.gz", ".nii")


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
    has_nifti = any(_is_nifti(file) for place in (folder, folder / "images") for file in visible(place))
    if holds_dicom(folder):
        if has_nifti:
            raise T3DError(
                f"{folder} holds DICOM files and NIfTI files; put the DICOM files of each series into a folder of "
                "their own."
            )
        return [_series(folder)]
    series = [_series(place) for place in visible(folder) if place.is_dir() and holds_dicom(place)]
    if not series and not has_nifti:
        raise T3DError(
            f"{folder} holds neither datalist.json, nor .nii or .nii.gz files (nor does its images folder), nor "
            "DICOM files, nor folders with DICOM files directly in them; set dataset_dir to the folder with the "
            "volumes."
        )
    items = (find_cases(folder) if has_nifti else []) + series
    raise_faults(duplicate_cases({folder.name: items}), folder.name)
    return sorted(items, key=lambda item: item["case_id"])


def find_cases(dataset_dir: str | Path, *, datalist_file: str | Path | None = None, split: str = "test") -> list[dict]:
    """Cases for inference: one list of a datalist, or every NIfTI file of a folder.

    The datalist is `datalist_file`, else `dataset_dir/datalist.json` where it exists. Without one, the cases
    are all `*.nii` and `*.nii.gz` files directly in `dataset_dir`, or in its `images` folder where
    there are none; `case_id` is the file name without the ending. Nothing is guessed from the names: a
    label map in that folder is a case too.

    Raises:
        T3DError: no cases, two files of one name, empty files, or any fault of the datalist.
    """
    folder = Path(dataset_dir).expanduser().absolute()
    listed = Path(datalist_file) if datalist_file else folder / "datalist.json"
    if datalist_file or listed.is_file():
        return load_datalist(listed, split, need_report=False)
    files = _nifti_files(folder) or _nifti_files(folder / "images")
    if not files:
        raise T3DError(
            f"{folder} holds neither datalist.json nor .nii or .nii.gz files (nor does its images folder); "
            "set dataset_dir to the folder with the volumes."
        )
    items = [{"case_id": _stem(f), "patient_id": _stem(f), "image": str(f)} for f in files]
    faults = duplicate_cases({folder.name: items})
    for item in items:
        faults += file_faults(item)
    raise_faults(faults, folder.name)
    return items


def _series(folder: Path) -> dict:
    return {"case_id": folder.name, "patient_id": folder.name, "image": str(folder)}


def _nifti_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    # Names starting with a dot are the twins that macOS leaves on foreign disks.
    return sorted(
        f for f in folder.iterdir() if f.is_file() and f.name.endswith(_NIFTI) and not f.name.startswith(".")
    )


def _is_nifti(file: Path) -> bool:
    return file.is_file() and file.name.endswith(_NIFTI)


def _stem(file: Path) -> str:
    return file.name.removesuffix(".gz").removesuffix(".nii")
