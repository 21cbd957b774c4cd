"""One `python -m monai.bundle run`, as a user starts it; stopped and started again it goes on by itself."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from t3d.errors import T3DError
from t3d.files import write_json


def bundle_run(
    bundle: Path,
    names: Sequence[str],
    folder: Path,
    *,
    options: Mapping[str, Any],
    file: str = "options.json",
    keep_open: Sequence[int] = (),
) -> None:
    """Run configurations of a bundle with options on top, and wait.

    Args:
        bundle: its folder.
        names: configurations in their order, such as ("train", "demo").
        folder: of the run; ``models`` and ``eval`` of it are the defaults of ckpt_dir and output_dir.
        options: written to a file that comes last, so that values keep their types.
        file: its name in ``folder``.
        keep_open: file descriptors that the run inherits: its lock on the folder.

    Raises:
        T3DError: the run failed; what it said stands in the log above.
    """
    places = {"ckpt_dir": str(folder / "models"), "output_dir": str(folder / "eval")}
    write_json(folder / file, {**places, **options})
    files = [*(str(bundle / "configs" / f"{name}.json") for name in names), str(folder / file)]
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(files), "--bundle_root", str(bundle)]
    sys.stdout.flush()
    status = subprocess.run(command, pass_fds=tuple(keep_open), check=False).returncode
    if status:
        raise BundleFailed(f"{bundle.name} {' + '.join(names)} ended with status {status}; its log says why")


class BundleFailed(T3DError):
    """A run said itself why it failed; this is only that it did."""
