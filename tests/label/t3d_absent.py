"""Whether t3d could come from anywhere but the bundles."""

import os
import subprocess
import sys


def found() -> str:
    """The specification of t3d in a process started as the server is: "None" where there is none."""
    code = "import importlib.util as util; print(util.find_spec('t3d'))"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run([sys.executable, "-c", code], cwd="/", env=environment, capture_output=True, text=True)
    return done.stdout.strip()
