"""`t3d check` on whole cohorts: what it says, its exit status, its files."""

import json
import shutil
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest
from bundle_runs import finish_here
from matplotlib.image import imread

from t3d.check.cohort import check_cohort
from t3d.check.command import check
from t3d.check.summary import summary_json, summary_text
from t3d.errors import T3DError


def ct(seed=0, shape=(16, 18, 20)) -> np.ndarray:
    values = np.random.default_rng(seed).normal(0, 40, shape) - 1000
    values[3:-3, 3:-3, 3:-3] += 1040
    values[6, 6, 6] = 1200
    return values.astype(np.int16)


def save(folder, name, values, affine=None):
    affine = np.diag([-2.0, -2, 3, 1]) if affine is None else affine
    nib.save(nib.Nifti1Image(values, affine), folder / f"{name}.nii.gz")


def words(seed):
    chosen = np.random.default_rng(seed).choice("lungs clear liver normal small nodule upper lobe spleen".split(), 60)
    return " ".join(chosen) + "."


@pytest.fixture
def small(tmp_path):
    """Three sound cases and their lists, not yet written."""
    for number in range(3):
        save(tmp_path, f"k{number}", ct(number))
        save(tmp_path, f"k{number}_label", (ct(number) > 0).astype(np.uint8))
    lists = {"training": [item(0), item(1)], "test": [item(2)]}
    return tmp_path, lists


def item(number, **more):
    return {
        "case_id": f"k{number}", "patient_id": f"Secret{number}", "image": f"k{number}.nii.gz",
        "label": f"k{number}_label.nii.gz", "report": words(number), "findings": {"nodule": number % 2}, **more,
    }  # fmt: skip


def checked(folder, lists, **options):
    (folder / "datalist.json").write_text(json.dumps(lists))
    return check_cohort(folder / "datalist.json", **options)


def lines(found, *, fault=True):
    return [str(remark) for remark in found.remarks if remark.fault == fault]


def test_a_sound_cohort_has_no_faults(small):
    found = checked(*small)
    assert lines(found) == [] and found.counts == {"training": 2, "test": 1} and found.patients == 3
    tables = found.tables
    assert tables["orientations"] == {"LPS": 3}
    assert tables["voxels"]["head_foot"][2] == 20 and tables["spacing_mm"]["head_foot"][2] == 3
    assert tables["label_values"] == {"0": {"training": 2, "test": 1}, "1": {"training": 2, "test": 1}}
    assert tables["findings"]["nodule"]["training"] == {"absent": 1, "present": 1, "unknown": 0}
    assert tables["hu"]["highest"][4] == 1200 and -1010 < tables["hu"]["median"][0] < -960
    assert tables["reports"]["reports"] == 3


def test_phantoms_are_clean_and_processes_change_nothing(cohort, tmp_path):
    alone = check_cohort(cohort / "datalist.json")
    assert lines(alone) == []
    assert check_cohort(cohort / "datalist.json", workers=2) == alone
    fast = check_cohort(cohort / "datalist.json", fast=True)
    assert lines(fast) == [] and fast.tables["orientations"] == alone.tables["orientations"]
    assert fast.tables["hu"]["lowest"] is None and alone.tables["hu"]["lowest"] is not None


def test_copies_of_an_image_are_found_in_any_orientation_and_compression(small):
    folder, lists = small
    turned = nib.Nifti1Image(ct(0), np.diag([-2.0, -2, 3, 1])).as_reoriented([[1, -1], [0, 1], [2, -1]])
    nib.save(turned, folder / "k7.nii")
    lists["test"].append(item(7, image="k7.nii", label=None))
    lists["training"].append(item(8, image="k1.nii.gz", label=None))
    found = checked(folder, lists)
    assert lines(found)[0].startswith("identical images: case k7: image is that of case k0 (training), voxel by voxel")
    assert any("case k8: image is that of case k1" in line for line in lines(found, fault=False))
    assert not any("k7" in line for line in lines(checked(folder, lists, fast=True)))
    assert any(
        "case k8: image is that of case k1" in line for line in lines(checked(folder, lists, fast=True), fault=False)
    )


def test_masks_of_the_same_size_are_not_identical(small):
    folder, lists = small
    for number in (0, 1):
        mask = np.zeros((16, 18, 20), np.int16)
        mask[number, 0, 0] = 1000
        save(folder, f"k{number}", mask)
    assert not any("identical" in line for line in lines(checked(folder, lists, allow_no_hu=True), fault=False))


def test_leaks_and_doubtful_reports_are_said(small):
    folder, lists = small
    lists["test"][0]["patient_id"] = "Secret0"
    lists["training"] += [item(number, image="k1.nii.gz", label=None) for number in range(10, 32)]
    many = lists["training"]
    many[2]["report"] = many[0]["report"].upper()
    many[3]["report"] = many[1]["report"] + " Thank you."
    many[4]["report"] = "Knee: the meniscus and the ligament are torn, femur and tibia normal, patella too."
    many[5]["report"] = words(5) * 12
    many[6]["report"] = "  "
    many[7]["report"] = "Lungs clear, nodule of 3 cm\u00c2\u00b2."
    found = checked(folder, lists)
    faults, doubts = "\n".join(lines(found)), "\n".join(lines(found, fault=False))
    assert "cases k2 (test) and k0 (training): are of one patient" in faults
    assert "report: case k14: has an empty report" in faults and "report: case k15: was read in another" in faults
    assert "the same report: case k10: has the same report as case k0 (training)" in doubts
    assert "nearly the same report: case k11: has nearly the same report as case k1 (training)" in doubts
    assert "body part: case k12: speaks of limb" in doubts
    assert "long report: case k13: has about" in doubts
    assert doubts.count("same report:") == 2 and doubts.count("body part:") == 1
    assert "Secret" not in str(summary_json(found, "d", fast=False)) + summary_text(found, "d", fast=False)


def test_missing_reports_are_faults_where_the_cohort_has_reports(small):
    folder, lists = small
    del lists["test"][0]["report"]
    assert lines(checked(folder, lists)) == [
        "report: case k2: has no report; add the text, or train with --use_text False"
    ]
    assert lines(checked(folder, lists, need_report=False)) == []
    for each in lists["training"]:
        del each["report"]
    assert lines(checked(folder, lists)) == [] and len(lines(checked(folder, lists, need_report=True))) == 3


def test_findings_are_balanced_or_said(small):
    folder, lists = small
    lists["training"][0]["findings"] = {"nodule": 1, "cyst": "Patient Smith has one", "stone": 2}
    lists["test"][0]["findings"] = ["nodule"]
    found = checked(folder, lists)
    assert lines(found) == [
        "findings: case k0: cyst is a str; use 0, 1, or null for unknown",
        "findings: case k0: stone is 2; use 0, 1, or null for unknown",
        'findings: case k2: are a list; make them an object {"name": 0, 1 or null}',
    ]
    assert any("finding nodule is present in all of training" in line for line in lines(found, fault=False))


def test_command_line(small):
    folder, lists = small
    (folder / "datalist.json").write_text(json.dumps(lists))
    command = [sys.executable, "-m", "t3d", "check", "datalist.json", "--json", "out.json", "--sheet", "pages"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("datalist.json: 3 cases (training 2, test 1) of 3 patients; voxels read\n")
    assert "FAULTS: none" in done.stdout
    assert json.loads((folder / "out.json").read_text())["faults"] == []
    assert imread(folder / "pages" / "check_001.png").std() > 0.05
    (folder / "k1.nii.gz").write_bytes(b"")
    done = finish_here(command, folder)
    assert done.returncode == 1 and "out.json is already there" in done.stderr and done.stdout == ""
    done = finish_here([*command, "--overwrite", "True"], folder)
    assert done.returncode == 1 and "FAULTS: 1\n  image: case k1: file has 0 bytes; copy" in done.stdout
    (fault,) = json.loads((folder / "out.json").read_text())["faults"]
    assert (fault["case_id"], fault["split"], fault["kind"]) == ("k1", "training", "image")
    assert finish_here([*command, "--fastt"], folder).returncode == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"fast": True, "sheet": "pages"}, "--fast reads none"),
        ({"workers": 0}, "--workers is 0"),
        ({"max_tokens": "many"}, "--max_tokens is 'many'"),
        ({"fast": "perhaps"}, "--fast is 'perhaps'"),
    ],
)
def test_options_that_make_no_sense(small, options, said):
    folder, lists = small
    (folder / "datalist.json").write_text(json.dumps(lists))
    with pytest.raises(T3DError, match=said):
        check(str(folder / "datalist.json"), **options)


def test_first_ten_of_a_kind_are_shown_and_all_are_in_the_json(small):
    folder, lists = small
    lists["training"] = [item(number, image=f"none{number}.nii.gz", label=None) for number in range(20, 33)]
    found = checked(folder, lists)
    text = summary_text(found, "d", fast=False)
    assert text.count("file is missing") == 10 and "image: ... and 3 more" in text
    assert len(summary_json(found, "d", fast=False)["faults"]) == 13


def test_nothing_of_the_cohort_is_changed(small):
    folder, lists = small
    (folder / "datalist.json").write_text(json.dumps(lists))
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.iterdir()}
    check_cohort(folder / "datalist.json")
    assert {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.iterdir()} == before
    shutil.rmtree(folder)


def test_real_ct_with_labels_is_clean(shared_data, tmp_path):
    places = {
        "lung": ("elastix_lung/ct", "elastix_lung/lungbox_mask"),
        "chest": ("lidc_0314_chest/ct_2p5mm", "lidc_0314_chest/nodule_2p5mm"),
        "thorax": ("totalseg_thoracic_aorta_1p5mm/ct", "totalseg_thoracic_aorta_1p5mm/labels"),
        "torso": ("totalseg_torso_3mm/ct", "totalseg_torso_3mm/seg117"),
        "slab": ("totalseg_body_dicom20/ct", "totalseg_body_dicom20/seg117"),
    }
    cases = [
        {"case_id": name, "image": f"{shared_data}/{image}.nii.gz", "label": f"{shared_data}/{label}.nii.gz"}
        for name, (image, label) in places.items()
    ]
    found = checked(tmp_path, {"training": cases})
    assert lines(found) == [] and lines(found, fault=False) == []


def test_a_prepared_cohort_is_checked_as_well(small, tmp_path):
    pytest.importorskip("blosc2")
    from t3d.prepare.cohort import prepare_cohort

    folder, lists = small
    raw = checked(folder, lists)
    prepare_cohort(folder / "datalist.json", tmp_path / "store", spacing=(2, 2, 3))
    found = check_cohort(tmp_path / "store" / "datalist.json")
    assert lines(found) == [] and found.tables["orientations"] == {"RAS": 3}
    assert found.tables["hu"]["median"] == raw.tables["hu"]["median"]
    assert found.tables["label_values"] == raw.tables["label_values"]
    image = next((tmp_path / "store").rglob("k1*.b2nd"))
    image.write_bytes(image.read_bytes()[:200])
    (fault,) = check_cohort(tmp_path / "store" / "datalist.json").faults
    assert fault.case_id == "k1"
    assert check_cohort(tmp_path / "store" / "datalist.json", fast=True).faults != []
