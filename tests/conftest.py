"""Fixtures shared by all tests."""

import socket
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with the real CTs, reports and the metadata schema; skips where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the shared data folder, which is not at {folder}")
    return folder


@pytest.fixture
def free_port() -> int:
    """A TCP port of this machine that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def cohort(tmp_path_factory) -> Path:
    """A cohort of 24 phantoms of 32^3 voxels: the folder with its datalist.json."""
    from t3d.data.phantoms import phantoms

    folder = tmp_path_factory.mktemp("cohort")
    phantoms(folder, cases=24, seed=3, shape=32, montage=False)
    return folder
