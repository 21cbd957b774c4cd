"""Processes in which no t3d can be imported unless a bundle brings it."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

NO_T3D = "import importlib.util; assert importlib.util.find_spec('t3d') is None, 't3d is installed here'\n"


def environment(**more: str) -> dict[str, str]:
    """This process's environment without what makes the repository's t3d importable."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {**kept, "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", **more}


def python_without_t3d(code: str, folder: Path) -> subprocess.CompletedProcess:
    """Run code in a process with all packages of this environment but an installed (editable) t3d."""
    # -S leaves the .pth files of editable installations unread; the packages themselves come by their path
    line = [sys.executable, "-S", "-c", NO_T3D + code]
    packages = sysconfig.get_paths()["purelib"]
    return subprocess.run(
        line, cwd=folder, env=environment(PYTHONPATH=packages), capture_output=True, text=True, timeout=300
    )
