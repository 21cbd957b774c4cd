"""Every fault of ``bad_inputs.ROWS``: each command says the case and the remedy, and loses nothing."""

import hashlib
import json

import nibabel as nib
import numpy as np
import pytest
from bad_inputs import AFFINE, ROWS, ct

from t3d.check.cohort import check_cohort
from t3d.data.datalist import check_headers, load_datalist
from t3d.errors import T3DError, plain_message
from t3d.prepare.cohort import prepare_cohort
from t3d.volume.dicom_series import check_item
from t3d.volume.label_checks import check_labels
from t3d.volume.load import LoadVolumed

REPORT = "Lungs are clear and Mister Unmentionable is well, sentence number {}."


@pytest.fixture
def cohort(tmp_path):
    """The folder of a sound cohort, and its lists before they are written."""
    folder = tmp_path / "my cohort \u00e4\u5f71"  # spaces and other alphabets are no fault
    folder.mkdir()
    for number in range(3):
        nib.save(nib.Nifti1Image(ct(number), AFFINE), folder / f"k{number}.nii.gz")
        mask = (ct(number) > 0).astype(np.uint8)
        nib.save(nib.Nifti1Image(mask, AFFINE), folder / f"k{number}_label.nii.gz")
    items = [
        {
            "case_id": f"k{n}",
            "patient_id": f"p{n}",
            "image": f"k{n}.nii.gz",
            "label": f"k{n}_label.nii.gz",
            "report": REPORT.format(n),
        }
        for n in range(3)
    ]
    return folder, {"training": items[:2], "test": items[2:]}


def write(folder, lists):
    change = lists.pop("__bytes__", None)
    content = json.dumps(lists).encode()
    (folder / "datalist.json").write_bytes(content if change is None else change(content))


def state(folder):
    """Name -> what is there, for every file and link below a folder."""
    return {
        str(file.relative_to(folder)): (
            str(file.readlink()) if file.is_symlink() else hashlib.sha256(file.read_bytes()).hexdigest()
        )
        for file in folder.rglob("*")
        if file.is_symlink() or file.is_file()
    }


def said(command, folder, lists, out) -> str:
    """What a command says: the message of its T3DError, or the lines of the check."""
    item = dict(lists["training"][0]) if isinstance(lists["training"], list) and lists["training"] else {}
    item["image"] = str(folder / str(item.get("image", "")))
    if isinstance(item.get("label"), str):
        item["label"] = str(folder / item["label"])
    if command in ("check", "fast"):
        try:
            return "\n".join(map(str, check_cohort(folder / "datalist.json", fast=command == "fast").remarks))
        except T3DError as error:
            return str(error)
    if command == "prepare":
        outcome = prepare_cohort(folder / "datalist.json", out, spacing=(4, 4, 6))
        assert set(outcome.failed) == {"k0"} and outcome.prepared == ["k1", "k2"]  # the others go on
        assert not list(out.rglob("*k0*")), "half a case was left"
        return outcome.failed["k0"]
    with pytest.raises(T3DError) as caught:
        if command == "list":
            load_datalist(folder / "datalist.json", "training")
        elif command == "header":
            check_headers([item])
        elif command == "load":
            LoadVolumed("image")(item)
        elif command == "labels":
            check_labels([item], [], table={"background": 0, "body": 1})
        elif command == "series":
            check_item(item)
    return plain_message(caught.value)


CASES = [(fault, command) for fault, row in ROWS.items() for command in row.says]


@pytest.mark.parametrize(("fault", "command"), CASES, ids=[" - ".join(case) for case in CASES])
def test_fault_is_said_and_nothing_is_lost(fault, command, cohort, tmp_path):
    folder, lists = cohort
    row = ROWS[fault]
    if row.make.__qualname__.startswith(("series", "compressed", "cut_slice")) or "DICOM" in fault or "slice" in fault:
        pytest.importorskip("pydicom")
    row.make(folder, lists)
    write(folder, lists)
    before = state(folder)
    message = said(command, folder, lists, tmp_path / "out")
    for word in row.says[command]:
        assert word in message, message
    assert "Unmentionable" not in message and "Dear colleague" not in message
    if command in ("check", "fast"):
        assert str(folder) not in message.removeprefix(str(folder / "datalist.json"))
    assert state(folder) == before


def test_the_table_is_long_and_the_sound_cohort_passes(cohort):
    folder, lists = cohort
    assert len(ROWS) >= 40
    write(folder, lists)
    items = load_datalist(folder / "datalist.json", "training")
    check_headers(items)
    check_labels(items, [], table={"background": 0, "body": 1})
    assert LoadVolumed("image")(items[0])["image"].shape == (1, 16, 18, 20)
    assert check_cohort(folder / "datalist.json").remarks == []


def test_other_orientations_and_a_fourth_axis_of_one_are_no_faults(cohort):
    folder, lists = cohort
    for number, axes in enumerate(("RAS", "PIR", "LAS")):
        for name in (f"k{number}", f"k{number}_label"):
            volume = nib.load(folder / f"{name}.nii.gz")
            turned = volume.as_reoriented(
                nib.orientations.ornt_transform(nib.io_orientation(volume.affine), nib.orientations.axcodes2ornt(axes))
            )
            data = np.asarray(turned.dataobj)[..., None] if number else np.asarray(turned.dataobj)
            nib.save(nib.Nifti1Image(data, turned.affine), folder / f"{name}.nii.gz")
    write(folder, lists)
    found = check_cohort(folder / "datalist.json")
    assert found.remarks == []
    assert found.tables["orientations"] == {"RAS": 1, "PIR": 1, "LAS": 1}


def test_file_without_permission_is_named(cohort, monkeypatch):
    folder, lists = cohort
    write(folder, lists)
    real = nib.load

    def refused(path, **options):
        if str(path).endswith("k0.nii.gz"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, **options)

    monkeypatch.setattr(nib, "load", refused)
    (remark,) = check_cohort(folder / "datalist.json").remarks
    assert str(remark) == (
        "image: case k0: cannot be read (PermissionError: Permission denied); the file is damaged, truncated or not "
        "an image: copy or export it again"
    )


def test_full_disk_and_read_only_folder_lose_nothing(cohort, tmp_path, monkeypatch):
    import os

    from t3d.check.command import check

    folder, lists = cohort
    write(folder, lists)
    target = tmp_path / "found.json"
    target.write_text("earlier")

    def full(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(T3DError, match="No space left on device.*earlier file"):
        check(str(folder / "datalist.json"), json=str(target), overwrite=True)
    monkeypatch.undo()
    assert target.read_text() == "earlier" and not list(tmp_path.glob(".*tmp"))
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(T3DError, match="could not save"):
        check(str(folder / "datalist.json"), json=str(tmp_path / "file" / "found.json"))


def test_table_without_a_column(cohort, tmp_path):
    from t3d.cohorts.command import cohort as cohort_command

    folder, _ = cohort
    (folder / "table.csv").write_text("file,text\nk0.nii.gz,Clear.\n")
    with pytest.raises(T3DError, match="image"):
        cohort_command("csv", root=str(folder), out=str(tmp_path / "datalist.json"))
    assert not (tmp_path / "datalist.json").exists()


def test_folder_of_another_cohort_is_kept(cohort):
    from t3d.phantoms import phantoms

    folder, _ = cohort
    before = state(folder)
    with pytest.raises(T3DError, match="holds"):
        phantoms(folder, cases=3, shape=32, montage=False)
    assert state(folder) == before
