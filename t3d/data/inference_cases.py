"""Cases for inference: a list of a datalist, or the NIfTI files and DICOM series of a folder."""

from pathlib import Path

from t3d.data.datalist import load_datalist
from t3d.data.datalist_checks import duplicate_cases, file_faults
from t3d.errors import T3DError, raise_faults
from t3d.volume.dicom_series import holds_dicom, visible
from t3d.volume.file_kind import is_nifti, stem


def find_cases(dataset_dir: str | Path, *, datalist_file: str | Path | None = None, split: str = "test") -> list[dict]:
    """Cases for inference: a list of a datalist, or the NIfTI files and DICOM series of a folder.

    The datalist is `datalist_file`, else `dataset_dir/datalist.json` where it exists; its `image` entries may be
    folders of one DICOM series. Without one, `dataset_dir` itself may hold the DICOM files of one series; or the
    cases are its sub-folders that hold DICOM files, and all `*.nii` and `*.nii.gz` files directly in `dataset_dir`,
    or in its `images` folder where there are none. The `case_id` is the file name without the ending, and that of a
    series its folder's name. Nothing is guessed from the names: a label map in that folder is a case too.

    Returns:
        Dicts with `case_id`, `patient_id` and `image`, an absolute path.

    Raises:
        T3DError: no cases, two cases of one name, empty files, DICOM and NIfTI files side by side in `dataset_dir`,
            or any fault of the datalist.
    """
    folder = Path(dataset_dir).expanduser().absolute()
    listed = Path(datalist_file) if datalist_file else folder / "datalist.json"
    if datalist_file or listed.is_file():
        return load_datalist(listed, split, need_report=False)
    files = _nifti_files(folder) or _nifti_files(folder / "images")
    if holds_dicom(folder):
        if files:
            raise T3DError(
                f"{folder} holds DICOM files and NIfTI files; put the DICOM files of each series into a folder of "
                "their own."
            )
        return [_item(folder, folder.name)]
    items = [_item(file, stem(file)) for file in files]
    items += [_item(place, place.name) for place in visible(folder) if place.is_dir() and holds_dicom(place)]
    if not items:
        raise T3DError(
            f"{folder} holds neither datalist.json, nor .nii or .nii.gz files (nor does its images folder), nor "
            "DICOM files, nor folders with DICOM files directly in them; set dataset_dir to the folder with the "
            "volumes."
        )
    faults = duplicate_cases({folder.name: items})
    for item in items:
        faults += file_faults(item)
    raise_faults(faults, folder.name)
    return sorted(items, key=lambda item: item["case_id"])


# what configs of 0.1.0 call it where DICOM was taken too
find_volumes = find_cases


def _item(path: Path, case: str) -> dict:
    return {"case_id": case, "patient_id": case, "image": str(path)}


def _nifti_files(folder: Path) -> list[Path]:
    # Names starting with a dot, which macOS leaves on foreign disks, are not visible.
    return [file for file in visible(folder) if file.is_file() and is_nifti(file)]
