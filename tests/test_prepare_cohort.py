import json
import logging
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

pytest.importorskip("blosc2")
from t3d.cli import main  # noqa: E402
from t3d.data.datalist import load_datalist  # noqa: E402
from t3d.errors import T3DError  # noqa: E402
from t3d.prepare.cohort import prepare_cohort  # noqa: E402
from t3d.volume.store import open_stored  # noqa: E402

SPACING = (12.0, 12.0, 12.0)


@pytest.fixture
def raw(cohort, tmp_path) -> Path:
    """A cohort of six cases that a test may spoil."""
    lists = json.loads((cohort / "datalist.json").read_text())
    small = {split: lists[split][:count] for split, count in (("training", 3), ("validation", 1), ("test", 2))}
    folder = tmp_path / "raw data ü"
    for item in sum(small.values(), []):
        for key in ("image", "label"):
            (folder / item[key]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(cohort / item[key], folder / item[key])
    (folder / "datalist.json").write_text(json.dumps({**small, "name": "phantoms"}))
    return folder / "datalist.json"


def cases(raw):
    return [
        item["case_id"] for split in ("training", "validation", "test") for item in json.loads(raw.read_text())[split]
    ]


def content(folder):
    return {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_prepared_cohort_is_a_datalist_of_its_own(raw, tmp_path):
    out = tmp_path / "out"
    outcome = prepare_cohort(raw, out, spacing=SPACING)
    assert outcome.prepared == cases(raw) and not outcome.failed and not outcome.unchanged
    listed, before = json.loads((out / "datalist.json").read_text()), json.loads(raw.read_text())
    assert listed["prepared"] == {"spacing": list(SPACING), "orientation": "RAS", "format_version": 1}
    assert listed["name"] == "phantoms" and json.loads((out / "failed.json").read_text()) == {}
    for split in ("training", "validation", "test"):
        for old, new in zip(before[split], listed[split], strict=True):
            same = set(old) - {"image", "label"}
            assert {key: old[key] for key in same} == {key: new[key] for key in same}
    for item in load_datalist(out / "datalist.json", "training"):
        image, label = open_stored(item["image"]), open_stored(item["label"])
        assert image.dtype == np.int16 and label.dtype == np.uint8 and image.shape == label.shape
        assert label[:].any()
        record = json.loads(Path(item["image"]).with_suffix(".json").read_text())
        assert record["shape"] == list(image.shape) and record["hu_range"][0] >= -1024
        assert record["sources"]["image"]["path"].startswith("images/") and len(record["files"]) == 3


def test_no_report_gets_into_the_store(raw, tmp_path):
    out = tmp_path / "out"
    prepare_cohort(raw, out, spacing=SPACING)
    reports = [item["report"].encode() for item in json.loads(raw.read_text())["training"]]
    sentences = {line for report in reports for line in report.split(b"\n") if len(line) > 30}
    assert sentences
    for name, data in content(out).items():
        assert name == Path("datalist.json") or not any(line in data for line in sentences), name


def test_running_again_does_nothing_and_changes_redo_one_case(raw, tmp_path):
    out = tmp_path / "out"
    prepare_cohort(raw, out, spacing=SPACING)
    first = content(out)
    again = prepare_cohort(raw, out, spacing=SPACING)
    assert again.unchanged == cases(raw) and not again.prepared and content(out) == first
    item = json.loads(raw.read_text())["training"][1]
    path = raw.parent / item["image"]
    # touched but equal: nothing to do
    os.utime(path, ns=(1, 1))
    assert prepare_cohort(raw, out, spacing=SPACING).prepared == []
    image = nib.load(path)
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj) + np.int16(5), image.affine), path)
    assert prepare_cohort(raw, out, spacing=SPACING).prepared == [item["case_id"]]
    changed = {str(name) for name, data in content(out).items() if first[name] != data}
    assert changed == {f"volumes/{item['case_id']}{end}" for end in (".b2nd", ".json", ".index.safetensors")}


def test_a_store_edited_by_hand_is_mended(raw, tmp_path):
    out, case = tmp_path / "out", cases(raw)[0]
    prepare_cohort(raw, out, spacing=SPACING)
    first, path = content(out), out / f"labels/{case}.b2nd"
    data = bytearray(path.read_bytes())
    data[-200] ^= 1
    path.write_bytes(data)
    assert prepare_cohort(raw, out, spacing=SPACING).prepared == []
    assert prepare_cohort(raw, out, spacing=SPACING, verify=True).prepared == [case]
    path.unlink()
    assert prepare_cohort(raw, out, spacing=SPACING).prepared == [case]
    assert content(out) == first


def test_failed_cases_are_named_and_the_others_go_on(raw, tmp_path, caplog, capsys):
    out, lists = tmp_path / "out", json.loads(raw.read_text())
    broken, absent, shifted = (item for item in lists["training"])
    path = raw.parent / broken["image"]
    path.write_bytes(path.read_bytes()[:2000])
    (raw.parent / absent["image"]).unlink()
    label = nib.load(raw.parent / shifted["label"])
    moved = label.affine + np.array([[0, 0, 0, 30]] + [[0, 0, 0, 0]] * 3)
    nib.save(nib.Nifti1Image(np.asarray(label.dataobj), moved), raw.parent / shifted["label"])
    with caplog.at_level(logging.INFO), pytest.raises(T3DError, match="3 cases failed"):
        main(["prepare", str(raw), "--out_dir", str(out), "--spacing", "12"])
    failed = json.loads((out / "failed.json").read_text())
    assert set(failed) == {item["case_id"] for item in (broken, absent, shifted)}
    assert "damaged" in failed[broken["case_id"]] and "does not exist" in failed[absent["case_id"]]
    assert "different affines" in failed[shifted["case_id"]]
    listed = json.loads((out / "datalist.json").read_text())
    assert not listed["training"] and len(listed["validation"] + listed["test"]) == 3
    text = caplog.text
    assert "6 of 6 cases, 3 failed" in text and "disk: about" in text and "3 cases prepared, 0 unchanged" in text
    nib.save(nib.Nifti1Image(np.asarray(label.dataobj), label.affine), raw.parent / shifted["label"])
    assert prepare_cohort(raw, out, spacing=SPACING).prepared == [shifted["case_id"]]


def test_exit_status_and_words_of_the_command(raw, tmp_path):
    path = raw.parent / json.loads(raw.read_text())["test"][0]["image"]
    path.write_bytes(b"")
    line = [
        sys.executable,
        "-m",
        "t3d",
        "prepare",
        str(raw),
        "--out_dir",
        str(tmp_path / "out"),
        "--spacing",
        "12,12,12",
    ]
    repository = str(Path(__file__).resolve().parents[1])
    ended = subprocess.run(
        line, capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": repository}
    )
    assert ended.returncode == 1 and "error: 1 cases failed" in ended.stderr and "Traceback" not in ended.stderr


def test_values_beyond_int16_are_saturated_and_counted(raw, tmp_path, caplog):
    item = json.loads(raw.read_text())["training"][0]
    path = raw.parent / item["image"]
    image = nib.load(path)
    voxels = np.asarray(image.dataobj).astype(np.float32)
    voxels[10:14, 10:14, 10:14] = 70000.0
    nib.save(nib.Nifti1Image(voxels, image.affine), path)
    prepare_cohort(raw, tmp_path / "out", spacing=SPACING)
    record = json.loads((tmp_path / "out/volumes" / f"{item['case_id']}.json").read_text())
    stored = open_stored(tmp_path / "out/volumes" / f"{item['case_id']}.b2nd")
    assert record["saturated_voxels"] == int((stored[:] == 32767).sum()) > 0
    assert "lie outside int16" in caplog.text
    voxels[0, 0, 0] = np.nan
    nib.save(nib.Nifti1Image(voxels, image.affine), path)
    assert (
        "NaN or infinite (1 in slices"
        in prepare_cohort(raw, tmp_path / "out", spacing=SPACING).failed[item["case_id"]]
    )


def test_folders_of_others_are_refused(raw, tmp_path):
    out = tmp_path / "out"
    prepare_cohort(raw, out, spacing=SPACING)
    before = content(out)
    with pytest.raises(T3DError, match=r"other settings \(spacing \[12.0.*--overwrite true"):
        prepare_cohort(raw, out, spacing=(9.0, 9.0, 9.0))
    other = tmp_path / "other"
    shutil.copytree(raw.parent, other)
    path = other / json.loads(raw.read_text())["training"][0]["image"]
    image = nib.load(path)
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj) + np.int16(1), image.affine), path)
    with pytest.raises(T3DError, match="holds the cohort of"):
        prepare_cohort(other / "datalist.json", out, spacing=SPACING)
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("mine")
    with pytest.raises(T3DError, match="not empty .it holds thesis.txt"):
        prepare_cohort(raw, foreign, spacing=SPACING)
    with pytest.raises(T3DError, match="datalist's own folder"):
        prepare_cohort(raw, raw.parent, spacing=SPACING)
    assert content(out) == before
    assert len(prepare_cohort(raw, out, spacing=(9.0, 9.0, 9.0), overwrite=True).prepared) == 6


def test_a_cohort_that_was_moved_is_still_the_same(raw, tmp_path):
    prepare_cohort(raw, tmp_path / "out", spacing=SPACING)
    moved = tmp_path / "moved"
    raw.parent.rename(moved)
    assert prepare_cohort(moved / "datalist.json", tmp_path / "out", spacing=SPACING).prepared == []


def test_workers_give_the_same_bytes(raw, tmp_path):
    prepare_cohort(raw, tmp_path / "one", spacing=SPACING)
    prepare_cohort(raw, tmp_path / "two", spacing=SPACING, workers=2)
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_runs_killed_at_random_moments_are_completed_to_the_same_bytes(raw, tmp_path):
    prepare_cohort(raw, tmp_path / "whole", spacing=SPACING)
    whole, start = content(tmp_path / "whole"), time.monotonic()
    prepare_cohort(raw, tmp_path / "timed", spacing=SPACING)
    took = time.monotonic() - start
    fork, random, unfinished = multiprocessing.get_context("fork"), np.random.default_rng(0), 0
    for number in range(20):
        out = tmp_path / f"killed_{number}"
        process = fork.Process(target=prepare_cohort, args=(raw, out), kwargs={"spacing": SPACING})
        process.start()
        time.sleep(random.uniform(0, 1.2 * took))
        process.kill()
        process.join()
        unfinished += not (out / "datalist.json").exists()
        for record in out.glob("volumes/*.json"):
            # a record vouches for whole files
            for name in json.loads(record.read_text())["files"]:
                assert (out / name).read_bytes() == whole[Path(name)]
        prepare_cohort(raw, out, spacing=SPACING)
        assert content(out) == whole
    assert unfinished >= 5


def test_a_kill_between_two_files_of_a_case_leaves_it_to_be_done_again(raw, tmp_path, monkeypatch):
    prepare_cohort(raw, tmp_path / "whole", spacing=SPACING)
    real, count = os.replace, [0]

    def killed(*names):
        count[0] += 1
        if count[0] == 8:
            raise KeyboardInterrupt
        real(*names)

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        prepare_cohort(raw, tmp_path / "out", spacing=SPACING)
    monkeypatch.setattr(os, "replace", real)
    assert not (tmp_path / "out/datalist.json").exists()
    prepare_cohort(raw, tmp_path / "out", spacing=SPACING)
    assert content(tmp_path / "out") == content(tmp_path / "whole")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--spacing", "1,2"], "--spacing is"),
        (["--spacing", "1,0,2"], "--spacing is"),
        (["--workers", "0"], "workers is 0"),
        (["--workers", "two"], "--workers is 'two'"),
        (["--verify", "perhaps"], "--verify is"),
    ],
)
def test_impossible_options_are_refused(options, words, raw, tmp_path):
    with pytest.raises(T3DError, match=words):
        main(["prepare", str(raw), "--out_dir", str(tmp_path / "out"), *options])
