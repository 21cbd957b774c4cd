"""The wheel that pip builds has every module and all data that the package reads."""

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from bundle_runs import REPOSITORY
from test_without_text_packages import EVERY_MODULE

PARTS = ("pyproject.toml", "README.md", "LICENSE", "t3d")


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory) -> Path:
    """A folder with the content of a wheel of this checkout."""
    for name in ("pip", "setuptools"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"needs {name}, which builds the wheel, and an index is not asked")
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"  # setuptools leaves a build folder where it works
    source.mkdir()
    for name in PARTS:
        part = REPOSITORY / name
        if part.is_dir():
            shutil.copytree(part, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(part, source)
    line = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [*line, "--wheel-dir", str(folder), str(source)], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("t3d_monai-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


def python(unpacked: Path, *line: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(unpacked), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *line], cwd=unpacked.parent, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_nothing_of_the_package_is_missing(unpacked):
    def files(folder: Path) -> set[str]:
        found = {path.relative_to(folder).as_posix() for path in (folder / "t3d").rglob("*") if path.is_file()}
        return {name for name in found if "__pycache__" not in name}

    assert files(unpacked) == files(REPOSITORY)


def test_every_module_is_imported_from_it(unpacked):
    said = python(unpacked, "-c", EVERY_MODULE + "print(t3d.__file__)")
    assert str(unpacked / "t3d" / "__init__.py") in said


def test_the_command_line_starts_from_it(unpacked):
    assert "phantoms" in python(unpacked, "-m", "t3d", "--help")
