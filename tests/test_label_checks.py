import logging

import nibabel as nib
import numpy as np
import pytest

from t3d.errors import T3DError
from t3d.volume.label_checks import check_labels

TABLE = {"background": [0, 9], "liver": 6, "kidneys": [2, 3]}


def write(folder, name, values, *, affine=None, shape=(5, 6, 7), dtype=np.uint8):
    voxels = np.zeros(shape, dtype)
    voxels.reshape(-1)[: len(values)] = values
    file = folder / f"{name}.nii.gz"
    nib.save(nib.Nifti1Image(voxels, np.diag([2.0, 2, 3, 1]) if affine is None else affine), file)
    return str(file)


@pytest.fixture
def case(tmp_path):
    def make(name, values=(6, 2, 9), **label):
        return {
            "case_id": name,
            "image": write(tmp_path, f"{name}_ct", [1]),
            "label": write(tmp_path, f"{name}_label", values, **label),
        }

    return make


def message(training, validation=(), **options):
    with pytest.raises(T3DError) as caught:
        check_labels(training, list(validation), table=TABLE, **options)
    return str(caught.value)


def test_training_cases_are_counted_by_class(case):
    training = [case("a"), case("b", (3, 3)), case("c", ())]
    assert check_labels(training, [case("v", (6,))], table=TABLE) == {"liver": 1, "kidneys": 2}


def test_values_outside_the_table_name_case_and_values(case):
    text = message([case("a")], [case("v", (6, 7, 200))])
    assert "case v" in text and "values 7, 200" in text and "liver, kidneys" in text
    text = message([case("a", (6, 1.5), dtype=np.float32)])
    assert "no whole numbers" in text


def test_labels_on_another_grid_name_both(case):
    text = message([case("a", shape=(5, 6, 8))])
    assert "case a" in text and "(5, 6, 8)" in text and "(5, 6, 7)" in text
    shifted = np.diag([2.0, 2, 3, 1])
    shifted[2, 3] = 0.5
    text = message([case("b", affine=shifted)])
    assert "case b" in text and "0.50 mm" in text
    flipped = np.diag([-2.0, 2, 3, 1])
    assert "different affines" in message([case("c", affine=flipped)])


def test_rounding_in_a_header_is_the_same_grid(case):
    nearly = np.diag([2.0, 2, 3, 1])
    nearly[0, 0] += 1e-4  # over five voxels half a micrometre
    check_labels([case("a", affine=nearly)], [], table=TABLE)


def test_empty_labels_and_absent_classes(case, caplog):
    assert "all 2 training labels are empty" in message([case("a", ()), case("b", (9,))], [case("v")])
    text = message([case("c", (6,))], [case("w")])
    assert "no training case shows kidneys" in text and "--allow_absent_classes True" in text
    with caplog.at_level(logging.WARNING):
        check_labels([case("d", (6,))], [], table=TABLE, allow_absent_classes=True)
    assert "no training case shows kidneys" in caplog.text


def test_files_that_cannot_be_used_are_named(case, tmp_path):
    damaged = case("a")
    content = (tmp_path / "a_label.nii.gz").read_bytes()
    (tmp_path / "a_label.nii.gz").write_bytes(content[: len(content) // 2])
    unlabelled = {"image": case("b")["image"]}
    stacked = case("c", shape=(5, 6, 7, 2))
    text = message([damaged, unlabelled, stacked])
    assert "3 faults" in text
    assert (
        "case a: label a_label.nii.gz cannot be read" in text
        and "case b_ct.nii.gz: has no label" in text
        and "4 axes" in text
    )
    assert "training list is empty" in message([])
