"""Faulty cases through `t3d prepare`: named with the reason, and the good case beside them is prepared."""

import json
import multiprocessing
import resource

import nibabel as nib
import numpy as np
import pytest

pytest.importorskip("blosc2")
from t3d.errors import T3DError  # noqa: E402
from t3d.prepare.cohort import prepare_cohort  # noqa: E402

SHAPE = (12, 14, 16)
AFFINE = np.diag([2.0, 2.0, 2.0, 1])


def volume(dtype=np.int16):
    return np.random.default_rng(0).integers(-1000, 1000, SHAPE).astype(dtype)


def save(path, array, affine=AFFINE):
    nib.save(nib.Nifti1Image(array, affine), path)


def label(change):
    def spoil(folder):
        array = np.ones(SHAPE, np.float32)
        array[0, 0, 0] = change
        save(folder / "l.nii.gz", array)
        return {"label": "l.nii.gz"}

    return spoil


def image(array, affine=AFFINE):
    return lambda folder: save(folder / "a.nii.gz", array, affine)


def rgb(folder):
    array = np.zeros(SHAPE, dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    save(folder / "a.nii.gz", array)


def loop(folder):
    (folder / "a.nii.gz").unlink()
    (folder / "a.nii.gz").symlink_to(folder / "a.nii.gz")


def huge(folder):
    content = nib.Nifti1Image(volume(), AFFINE)
    content.header["dim"][1:4] = 30000
    (folder / "b.nii").write_bytes(content.header.binaryblock + b"\0" * 1000)
    return {"image": "b.nii"}


def header_only(folder):
    save(folder / "b.nii", volume())
    (folder / "b.nii").write_bytes((folder / "b.nii").read_bytes()[:352])
    return {"image": "b.nii"}


def empty_series(folder):
    (folder / "series").mkdir()
    return {"image": "series"}


def nan(folder):
    array = volume(np.float32)
    array[3, 4, 5:7] = np.nan
    save(folder / "a.nii.gz", array)


FAULTS = {
    "colours": (rgb, r"colour \(RGB\) or complex voxels"),
    "complex": (image(volume(np.complex64)), "complex voxels"),
    "a link to itself": (loop, "does not exist"),
    "a huge claimed shape": (huge, "the file has 1348 bytes"),
    "only a header": (header_only, "the file has 352 bytes"),
    "NaN": (nan, r"NaN or infinite \(2 in slices 0 to 15\)"),
    "no depth": (image(volume()[:, :, :1]), "is 2D"),
    "time": (image(np.stack([volume()] * 2, -1)), "has 4 axes"),
    "no files": (empty_series, "DICOM|empty"),
    "half a label": (label(0.5), "no whole numbers"),
    "a negative label": (label(-1), "from -1 to 1"),
    "a large label": (label(70000), "from 1 to 70000"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_case_is_named(fault, tmp_path):
    spoil, words = FAULTS[fault]
    save(tmp_path / "a.nii.gz", volume())
    save(tmp_path / "good.nii.gz", volume())
    bad = {"case_id": "bad", "image": "a.nii.gz", **(spoil(tmp_path) or {})}
    lists = {"training": [bad, {"case_id": "good", "image": "good.nii.gz"}]}
    (tmp_path / "datalist.json").write_text(json.dumps(lists))
    before = {path: path.read_bytes() for path in tmp_path.glob("*.nii*") if path.exists()}
    outcome = prepare_cohort(tmp_path / "datalist.json", tmp_path / "out", spacing=(3, 3, 3))
    assert outcome.prepared == ["good"] and set(outcome.failed) == {"bad"}
    with pytest.raises(T3DError, match=words):
        raise T3DError(outcome.failed["bad"])
    assert {path: path.read_bytes() for path in before} == before
    listed = json.loads((tmp_path / "out/datalist.json").read_text())["training"]
    assert [item["case_id"] for item in listed] == ["good"]
    assert not list((tmp_path / "out").rglob("*bad*")) and not list((tmp_path / "out").rglob(".*"))


@pytest.mark.parametrize(
    ("affine", "dtype"),
    [
        (np.array([[2.0, 0, 0, 0], [0, 2, 0.7, 0], [0, 0, 2, 0], [0, 0, 0, 1]]), np.int16),
        (np.diag([-2.0, -2.0, 2.0, 1]), np.float64),
        (np.diag([-2.0, 2.0, 2.0, 1]), np.uint16),
    ],
)
def test_unusual_but_sound_files_are_prepared(affine, dtype, tmp_path):
    save(tmp_path / "a.nii.gz", volume().clip(0).astype(dtype), affine)
    (tmp_path / "datalist.json").write_text(json.dumps({"test": [{"case_id": 7, "image": "a.nii.gz"}]}))
    assert prepare_cohort(
        tmp_path / "datalist.json", tmp_path / "out", spacing=(3, 3, 3), allow_no_hu=True
    ).prepared == ["7"]


def test_a_constant_image_is_no_ct(tmp_path):
    save(tmp_path / "a.nii.gz", np.full(SHAPE, 7, np.int16))
    (tmp_path / "datalist.json").write_text(json.dumps({"test": [{"case_id": "a", "image": "a.nii.gz"}]}))
    assert (
        "no HU: values from 7 to 7"
        in prepare_cohort(tmp_path / "datalist.json", tmp_path / "out", spacing=(3, 3, 3)).failed["a"]
    )


def test_faults_of_the_list_are_refused_before_anything_is_written(tmp_path):
    save(tmp_path / "a.nii.gz", volume())
    for items, words in (
        ([{"case_id": "a", "image": "a.nii.gz"}] * 2, "case_id is used 2 times"),
        ([{"case_id": "../a", "image": "a.nii.gz"}], "without / and"),
        ([{"image": "a.nii.gz"}], "has no case_id"),
        ([{"case_id": "a"}], "has no image"),
        ([], "has no cases"),
    ):
        (tmp_path / "datalist.json").write_text(json.dumps({"training": items}))
        with pytest.raises(T3DError, match=words):
            prepare_cohort(tmp_path / "datalist.json", tmp_path / "out", spacing=(3, 3, 3))
        assert not (tmp_path / "out").exists()
    (tmp_path / "file").write_text("")
    (tmp_path / "datalist.json").write_text(json.dumps({"training": [{"case_id": "a", "image": "a.nii.gz"}]}))
    for out in ("file", "file/out"):
        with pytest.raises(T3DError, match="is a file|could not save"):
            prepare_cohort(tmp_path / "datalist.json", tmp_path / out, spacing=(3, 3, 3))


def _with_a_small_disk(folder, limit, queue):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    queue.put(prepare_cohort(folder / "datalist.json", folder / "out", spacing=(2, 2, 2)).failed)


@pytest.mark.parametrize("limit", [2000, 4000])
def test_a_full_disk_is_said_and_a_rerun_goes_on(limit, tmp_path):
    save(tmp_path / "a.nii.gz", volume())
    (tmp_path / "datalist.json").write_text(json.dumps({"training": [{"case_id": "a", "image": "a.nii.gz"}]}))
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=_with_a_small_disk, args=(tmp_path, limit, queue))
    process.start()
    failed = queue.get(timeout=60)
    process.join()
    assert "free some space" in failed["a"] and not list((tmp_path / "out/volumes").iterdir())
    assert prepare_cohort(tmp_path / "datalist.json", tmp_path / "out", spacing=(2, 2, 2)).prepared == ["a"]
