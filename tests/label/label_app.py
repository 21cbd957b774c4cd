"""A fresh MONAI Label app."""

import subprocess
import sys
from pathlib import Path

from bundle_runs import environment


def make_app(folder: Path) -> Path:
    """The app as docs/monai_label.md makes it; the command copies it from the installed package."""
    line = [sys.executable, "-m", "monailabel.main", "apps", "--download", "--name", "monaibundle", "--output"]
    made = subprocess.run([*line, str(folder)], cwd=folder, env=environment(), capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    return folder / "monaibundle"
