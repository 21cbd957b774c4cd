import multiprocessing
import threading

import numpy as np
import pytest

pytest.importorskip("blosc2")
from t3d.errors import T3DError  # noqa: E402
from t3d.prepare.slabs import Slabs  # noqa: E402
from t3d.volume.store import is_stored, new_array, open_stored  # noqa: E402

SHAPE = (70, 65, 90)
AFFINE = np.diag([0.75, 0.75, 1.5, 1])


def values():
    return np.random.default_rng(0).integers(-1000, 1000, SHAPE).astype(np.int16)


def write(path, along=2, *, down=False, thick=7):
    with new_array(path, shape=SHAPE, dtype=np.int16, affine=AFFINE, spacing=(0.75, 0.75, 1.5)) as array:
        slabs = Slabs(array)
        starts = list(range(0, SHAPE[along], thick))
        for start in reversed(starts) if down else starts:
            part = [slice(None)] * 3
            part[along] = slice(start, start + thick)
            slabs.add(along, start, values()[tuple(part)])
        slabs.finish()
    return str(path)


@pytest.mark.parametrize("along", [0, 1, 2])
@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("thick", [7, 64, 80])
def test_what_was_written_is_read(along, down, thick, tmp_path):
    stored = open_stored(write(tmp_path / "a.b2nd", along, down=down, thick=thick))
    assert stored.shape == SHAPE and stored.dtype == np.int16 and stored.orientation == "RAS"
    assert stored.spacing == (0.75, 0.75, 1.5) and np.array_equal(stored.affine, AFFINE)
    assert np.array_equal(stored[:], values())
    assert np.array_equal(stored[3:40, 60:65, 20:21], values()[3:40, 60:65, 20:21])


def test_the_same_parts_give_the_same_bytes_and_no_holes(tmp_path):
    sizes = [(tmp_path / name).stat().st_size for name in ("a.b2nd", "b.b2nd") if write(tmp_path / name)]
    assert (tmp_path / "a.b2nd").read_bytes() == (tmp_path / "b.b2nd").read_bytes()
    assert sizes[0] < values().nbytes


def test_a_plane_that_is_missing_is_not_overlooked(tmp_path):
    with new_array(tmp_path / "a.b2nd", shape=SHAPE, dtype=np.int16, affine=AFFINE, spacing=(1, 1, 1)) as array:
        slabs = Slabs(array)
        slabs.add(2, 0, values()[:, :, :10])
        with pytest.raises(AssertionError, match="54 planes"):
            slabs.finish()


def _sum(stored, queue):
    queue.put(int(stored[:64].astype(np.int64).sum()))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_read_in_processes_and_threads(method, tmp_path):
    stored = open_stored(write(tmp_path / "a.b2nd"))
    right = int(values()[:64].astype(np.int64).sum())
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    processes = [context.Process(target=_sum, args=(stored, queue)) for _ in range(2)]
    for process in processes:
        process.start()
    assert [queue.get(timeout=60) for _ in processes] == [right, right]
    for process in processes:
        process.join()
    wrong = []

    def look():
        for start in range(0, 60, 5):
            if not np.array_equal(stored[start : start + 10], values()[start : start + 10]):
                wrong.append(start)

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_file_that_was_replaced_is_opened_anew(tmp_path):
    path = write(tmp_path / "a.b2nd")
    assert open_stored(path)[0, 0, 0] == values()[0, 0, 0]
    with new_array(tmp_path / "b.b2nd", shape=SHAPE, dtype=np.int16, affine=AFFINE, spacing=(1, 1, 1)) as array:
        array[:] = np.ones(SHAPE, np.int16)
    (tmp_path / "b.b2nd").replace(path)
    assert open_stored(path)[0, 0, 0] == 1


@pytest.mark.parametrize("keep", [0, 9, 0.5])
def test_a_damaged_file_is_named(keep, tmp_path):
    path = tmp_path / "case_7.b2nd"
    content = open(write(path), "rb").read()
    path.write_bytes(content[: int(keep * len(content)) if keep < 1 else keep])
    with pytest.raises(T3DError, match="case_7.b2nd.*damaged.*t3d prepare"):
        open_stored(path)[:]
    with pytest.raises(T3DError, match="does not exist"):
        open_stored(tmp_path / "absent.b2nd")


def test_foreign_arrays_are_refused(tmp_path):
    import blosc2

    blosc2.zeros((4, 4, 4), urlpath=str(tmp_path / "x.b2nd"))
    with pytest.raises(T3DError, match="not written by `t3d prepare`"):
        open_stored(tmp_path / "x.b2nd")
    blosc2.zeros((4, 4, 4), urlpath=str(tmp_path / "y.b2nd"), meta={"t3d": {"format_version": 99}})
    with pytest.raises(T3DError, match="has format 99"):
        open_stored(tmp_path / "y.b2nd")


def test_what_names_a_stored_file():
    assert is_stored("a/b.b2nd") and not is_stored("a/b.nii.gz") and not is_stored(None)
