"""Cells as processes: what fails, what waits, what goes on."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from bundle_runs import REPOSITORY, environment

from t3d.cli import main
from t3d.errors import T3DError
from t3d.study.features_file import FILE
from t3d.study.graph import Cell
from t3d.study.lock import locked
from t3d.study.plan_file import PLANS
from t3d.study.run import is_done, run_cells

# in every test run; T3D_KILLS=5 and more try longer
KILLS = int(os.environ.get("T3D_KILLS", "2"))
PROBE = {"labels": "all", "pool": None, "draws": 1, "l2": 1.0}


def cell(key, kind, settings, **needs):
    return Cell(f"the {key}", kind, settings, needs, key)


def test_a_failing_cell_stops_only_what_needs_it(cohort, tmp_path):
    list_file = str(cohort / "datalist.json")
    cells = {
        one.key: one
        for one in (
            cell("absent", "cohort", {"datalist": str(tmp_path / "absent.json")}),
            cell("right", "cohort", {"datalist": list_file}),
            cell("needing", "probe", PROBE, cohort="absent", features="right"),
            cell("last", "probe", PROBE, cohort="right", features="needing"),
        )
    }
    faults = run_cells(cells, tmp_path, bundles=REPOSITORY / "bundles", workers=2)
    assert set(faults) == {"absent", "needing", "last"}
    assert "absent.json does not exist" in faults["absent"] and "log.txt" in faults["absent"]
    assert faults["needing"] == "not run, because the absent failed"
    assert faults["last"] == "not run, because the needing failed"
    assert is_done(tmp_path, "right") and not is_done(tmp_path, "absent")
    written = (tmp_path / "cells" / "right" / "done.json").stat().st_mtime_ns
    assert run_cells({"right": cells["right"]}, tmp_path, bundles=REPOSITORY / "bundles", workers=1) == {}
    assert (tmp_path / "cells" / "right" / "done.json").stat().st_mtime_ns == written


def test_a_lock_is_held_by_whoever_inherits_it(tmp_path):
    pytest.importorskip("fcntl")
    with locked(tmp_path / "lock") as descriptor:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], pass_fds=(descriptor,))
    try:
        script = "import sys, pathlib, t3d.study.lock as lock\nwith lock.locked(pathlib.Path(sys.argv[1])): pass"
        waiting = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "lock")], env=environment())
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(timeout=3)
    finally:
        child.kill()
        child.wait()
    assert waiting.wait(timeout=60) == 0


@pytest.mark.parametrize("job", ["0/2", "3/2", "2", "a/b"])
def test_a_job_that_is_no_share_is_refused(tmp_path, job):
    with pytest.raises(T3DError, match="such as 3/8"):
        main(["study", "study_tiny", "--out_dir", str(tmp_path), "--job", job])
    assert not list(tmp_path.iterdir())


def test_a_dry_run_writes_nothing(tmp_path, caplog):
    with caplog.at_level("INFO", logger="t3d"):
        main(["study", "study_tiny", "--out_dir", str(tmp_path / "out"), "--dry_run"])
    assert "to do pre-training of shuffled, seed 0" in caplog.text
    assert not (tmp_path / "out").exists()


def test_killed_at_random_moments_it_ends_with_the_same_table(tmp_path):
    plan = json.loads((PLANS / "study_tiny.json").read_text())
    # one arm and one budget: a cell of every kind that a kill can leave half done; most of the time is imports
    plan["cohort"]["phantoms"] |= {"training": 10, "validation": 2, "test": 8}
    plan["pretrain"]["overlays"].append("vision_only")
    plan["pretrain"]["options"] |= {"pairs": 1, "batch_size": 2, "gauge_batch_size": 2}
    plan["arms"] = {"twin": {}}
    plan["tasks"] = {"probe": {"labels": ["all"], "pool": 9, "strides": [32]}}
    plan["reference"] = "twin"
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(plan))
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    started = time.monotonic()
    _finish(file, whole)
    took = time.monotonic() - started
    moments = random.Random(0)
    for number in range(KILLS):
        # every second time its own processes live on, as those of a killed terminal or job may
        _kill_after(moments.uniform(0.1, 0.5) * took, file, broken, everything=number % 2 == 0)
    _finish(file, broken)
    for name in ("results.csv", "results.md", "results.png"):
        assert (whole / name).read_bytes() == (broken / name).read_bytes(), name
    assert "| twin |" in (whole / "results.md").read_text()
    (features,) = (whole / "cells").glob("features_*")
    with np.load(features / FILE) as content:
        assert len(content["features"]) == 9 + 8  # of the training list only those that may be labelled


def _command(plan, out_dir):
    return [sys.executable, "-m", "t3d", "study", str(plan), "--out_dir", str(out_dir)]


def _finish(plan, out_dir):
    done = subprocess.run(_command(plan, out_dir), env=environment(), capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stderr


def _kill_after(seconds, plan, out_dir, *, everything):
    """SIGKILL at a random moment; what goes on by itself may have ended before."""
    process = subprocess.Popen(
        _command(plan, out_dir), env=environment(), stderr=subprocess.DEVNULL, start_new_session=True
    )
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=seconds)
    with contextlib.suppress(ProcessLookupError):
        if everything:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def _files(folder):
    return sum(len(files) for _, _, files in os.walk(folder))


def test_a_study_folder_with_marks_of_monai_is_refused(tmp_path):
    from t3d.study.study import run_study

    with pytest.raises(T3DError, match="means something else"):
        run_study("study_tiny", tmp_path / "a#b")


def test_asked_to_end_it_ends_what_it_started(tmp_path):
    plan = tmp_path / "plan.json"
    content = json.loads((PLANS / "study_tiny.json").read_text())
    content["cohort"]["phantoms"]["training"] = 300
    plan.write_text(json.dumps(content))
    process = subprocess.Popen(_command(plan, tmp_path / "out"), env=environment(), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not list(tmp_path.rglob("case_*")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    process.terminate()
    process.wait(timeout=60)
    time.sleep(2)
    before = _files(tmp_path)
    time.sleep(3)
    assert _files(tmp_path) == before and process.returncode != 0
