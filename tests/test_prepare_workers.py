import logging
import os
import sys

import numpy as np
import pytest

pytest.importorskip("blosc2")
from prepared_cohort import prepare_small  # noqa: E402

from t3d.errors import T3DError  # noqa: E402
from t3d.prepare import workers  # noqa: E402
from t3d.prepare.disk import say_disk  # noqa: E402
from t3d.prepare.progress import Progress  # noqa: E402
from t3d.volume.store import import_blosc2  # noqa: E402

SPACING = (12.0, 12.0, 12.0)


def stored(folder):
    return {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != "prepared.json"}


def test_a_dask_cluster_gives_the_same_bytes(cohort, tmp_path):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, processes=True, threads_per_worker=1, dashboard_address=None
    ) as cluster:
        _, there = prepare_small(cohort, tmp_path / "dask", spacing=SPACING, scheduler=cluster.scheduler_address)
    raw, here = prepare_small(cohort, tmp_path / "here", spacing=SPACING)
    assert raw.is_dir() and stored(there) == stored(here)


def test_no_scheduler_is_said(cohort, tmp_path, monkeypatch, free_port):
    pytest.importorskip("distributed")
    from dask import config

    with config.set({"distributed.comm.timeouts.connect": "1s"}):
        monkeypatch.setattr(workers, "_CONNECT", "1s")
        with pytest.raises(T3DError, match="no Dask scheduler answers at tcp://127.0.0.1"):
            prepare_small(cohort, tmp_path, spacing=SPACING, scheduler=f"tcp://127.0.0.1:{free_port}")


def test_dask_that_is_not_installed_is_said(cohort, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "dask.distributed", None)
    with pytest.raises(T3DError, match="pip install 'distributed"):
        prepare_small(cohort, tmp_path, spacing=SPACING, scheduler="tcp://127.0.0.1:1")


def test_blosc2_that_is_not_installed_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "blosc2", None)
    with pytest.raises(T3DError, match="pip install 'blosc2"):
        import_blosc2()


def _die(item, options):
    os._exit(9)


def test_a_worker_that_dies_is_said_and_nothing_is_lost(cohort, tmp_path, monkeypatch):
    real = workers._one
    monkeypatch.setattr(workers, "_one", _die)
    with pytest.raises(T3DError, match="a worker process died.*fewer --workers"):
        prepare_small(cohort, tmp_path, spacing=SPACING, workers=2)
    monkeypatch.setattr(workers, "_one", real)
    from t3d.prepare.cohort import prepare_cohort

    outcome = prepare_cohort(tmp_path / "raw/datalist.json", tmp_path / "prepared", spacing=SPACING)
    assert len(outcome.prepared) == 8


def test_the_disk_estimate_is_that_of_the_headers(cohort, tmp_path, caplog):
    import json

    lists = json.loads((cohort / "datalist.json").read_text())
    items = [{"case_id": i["case_id"], "image": str(cohort / i["image"])} for i in lists["training"][:5]]
    (tmp_path / "broken.nii").write_bytes(b"x")
    with caplog.at_level(logging.INFO):
        estimate = say_disk([*items, {"case_id": "b", "image": str(tmp_path / "broken.nii")}], SPACING, tmp_path)
    _, out = prepare_small(cohort, tmp_path / "out", spacing=SPACING, counts=(5, 1, 1))
    records = [json.loads((out / "volumes" / f"{i['case_id']}.json").read_text()) for i in items]
    voxels = np.mean([np.prod(record["shape"]) for record in records])
    assert estimate == pytest.approx(6 * voxels * 2 * 0.45)
    assert "for 6 cases" in caplog.text and "free" in caplog.text
    assert say_disk([], SPACING, tmp_path) == 0


def test_progress_tells_the_time_left(caplog, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("t3d.prepare.progress.time.monotonic", lambda: now[0])
    progress = Progress(100, every=50.0)
    with caplog.at_level(logging.INFO):
        for number in range(100):
            now[0] += 30.0
            progress.step(failed=number // 50)
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 50
    assert lines[0] == "[                    ] 2 of 100 cases, 49 min left"
    assert lines[39] == "[################    ] 80 of 100 cases, 1 failed, 10 min left"
    assert lines[-1] == "[####################] 100 of 100 cases, 1 failed, 0 s left"
