"""The cohort as a user gets it: files, bytes, splits, refusals."""

import json

import nibabel as nib
import numpy as np
import pytest

from t3d.errors import T3DError
from t3d.phantoms import phantoms
from t3d.phantoms.cohort import _read_shape
from t3d.phantoms.study import FINDINGS
from t3d.phantoms.tissues import LABELS

SMALL = {"seed": 4, "shape": 32, "montage": False}


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def torsos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("torsos") / "phantoms"
    phantoms(folder, cases=6, seed=4, shape="40,40,48")
    return folder


def test_datalist_is_complete(torsos):
    splits = json.loads((torsos / "datalist.json").read_text())
    assert list(splits) == ["training", "validation", "test"] and all(splits.values())
    items = [item for part in splits.values() for item in part]
    assert sorted(item["case_id"] for item in items) == [f"case_{index:05d}" for index in range(6)]
    for item in items:
        assert set(item) == {"case_id", "patient_id", "image", "report", "label", "findings"}
        assert tuple(item["findings"]) == FINDINGS and set(item["findings"].values()) <= {0, 1}
        assert item["report"].startswith("FINDINGS:\n") and "\nIMPRESSION:\n" in item["report"]
        image, label = nib.load(torsos / item["image"]), nib.load(torsos / item["label"])
        assert image.get_data_dtype() == np.int16 and label.get_data_dtype() == np.uint8
        assert sorted(image.shape) == [40, 40, 48] and image.shape == label.shape
        assert np.array_equal(image.affine, label.affine)
    assert json.loads((torsos / "labels.json").read_text()) == LABELS
    assert (torsos / "montage.png").read_bytes().startswith(b"\x89PNG")


def test_orientations_and_spacings_vary_but_the_patient_lies_the_same(torsos):
    codes, spacings = set(), set()
    for path in sorted((torsos / "labels").iterdir()):
        stored = nib.load(path)
        codes.add(nib.aff2axcodes(stored.affine))
        spacings.add(tuple(np.round(stored.header.get_zooms(), 3)))
        label = np.asarray(nib.as_closest_canonical(stored).dataobj)

        def middle(name, label=label):
            return np.argwhere(label == LABELS[name]).mean(axis=0)

        spine, heart, liver, spleen = map(middle, ("spine", "heart", "liver", "spleen"))
        assert liver[0] > spine[0] > spleen[0], "in RAS the patient's right has the larger x"
        assert heart[0] < spine[0] and heart[1] > spine[1] and heart[2] > liver[2]
        assert middle("lung_right")[0] > spine[0] > middle("lung_left")[0]
        assert middle("kidney_right")[0] > spine[0] > middle("kidney_left")[0]
        assert middle("sternum")[1] > heart[1]
    assert len(codes) >= 2 and len(spacings) >= 4


def test_same_seed_same_bytes_and_cases_independent_of_their_number(tmp_path):
    phantoms(tmp_path / "a", cases=3, **SMALL)
    phantoms(tmp_path / "b", cases=3, **SMALL)
    phantoms(tmp_path / "more", cases=5, **SMALL)
    phantoms(tmp_path / "other", cases=3, **{**SMALL, "seed": 5})
    a, b, more, other = (contents(tmp_path / name) for name in ("a", "b", "more", "other"))
    assert a == b
    shared = [name for name in a if name.startswith(("images", "labels/"))]
    assert len(shared) == 6 and all(a[name] == more[name] for name in shared)
    assert all(a[name] != other[name] for name in shared)


def test_a_stopped_run_is_continued(tmp_path):
    folder = tmp_path / "cohort"
    phantoms(folder, cases=3, **SMALL)
    whole = contents(folder)
    (folder / "datalist.json").unlink()
    (folder / "images" / "case_00001.nii.gz").unlink()
    phantoms(folder, cases=3, **SMALL)
    assert contents(folder) == whole
    phantoms(folder, cases=3, **SMALL)
    assert contents(folder) == whole


def test_a_full_disk_leaves_no_datalist(tmp_path, monkeypatch):
    def full(*_, **__):
        raise T3DError("could not save: No space left on device")

    monkeypatch.setattr("t3d.phantoms.cohort.nifti_bytes", full)
    with pytest.raises(T3DError, match="No space left"):
        phantoms(tmp_path / "cohort", cases=1, **SMALL)
    assert not (tmp_path / "cohort" / "datalist.json").exists()


@pytest.mark.parametrize("change", [{"seed": 9}, {"cases": 2}, {"shape": 36}, {"noise": 5}])
def test_other_settings_are_refused(tmp_path, change):
    settings = {"cases": 1, **SMALL}
    phantoms(tmp_path, **settings)
    before = contents(tmp_path)
    with pytest.raises(T3DError, match="other settings"):
        phantoms(tmp_path, **{**settings, **change})
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    "shape, sides",
    [
        (64, (64, 64, 64)),
        ("64,64,48", (64, 64, 48)),
        ("(64, 64, 48)", (64, 64, 48)),
        ("96", (96, 96, 96)),
        ([64, 64, 48], (64, 64, 48)),
        ((64,), (64, 64, 64)),
    ],
)
def test_shape_is_read_as_the_command_line_gives_it(shape, sides):
    assert _read_shape(shape) == sides


@pytest.mark.parametrize(
    "wrong, says",
    [
        ({"shape": "64,64"}, "shape is '64,64'"),
        ({"shape": "big"}, "shape is 'big'"),
        ({"shape": 8}, "shape is 8"),
        ({"shape": None}, "shape is None"),
        ({"shape": 64.5}, "shape is 64.5"),
        ({"cases": 0}, "cases is 0"),
        ({"cases": "ten"}, "cases is 'ten'"),
        ({"seed": -1}, "seed is -1"),
        ({"noise": -3}, "noise is -3"),
        ({"noise": "loud"}, "noise is 'loud'"),
    ],
)
def test_wrong_arguments_are_named(tmp_path, wrong, says):
    with pytest.raises(T3DError, match=says):
        phantoms(tmp_path / "new", **wrong)
    assert not (tmp_path / "new").exists()


def test_workers_write_the_same_bytes(tmp_path):
    one, three = tmp_path / "one", tmp_path / "three"
    phantoms(one, cases=4, seed=5, shape=32)
    phantoms(three, cases=4, seed=5, shape=32, workers=3)
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(three) for path in three.rglob("*") if path.is_file())
    assert all((one / name).read_bytes() == (three / name).read_bytes() for name in files)
