"""``monai.bundle run`` of a bundle of this repository, as a user starts it, with its output in a log file."""

import os
import subprocess
import sys
from pathlib import Path

BUNDLES = Path(__file__).resolve().parents[1] / "bundles"


def bundle_run(stage: str, names: tuple[str, ...], log: Path, **options) -> None:
    """Run configurations of ``bundles/t3d_STAGE`` and wait.

    Args:
        stage: pretrain, segmentation or classification.
        names: configurations in their order, such as ("train", "demo").
        log: file that standard output and error are added to.
        options: overrides.
    """
    root = BUNDLES / f"t3d_{stage}"
    files = [str(root / "configs" / f"{name}.json") for name in names]
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(files), "--bundle_root", str(root)]
    for key, value in options.items():
        command += [f"--{key}", str(value)]
    environment = {**os.environ, "PYTHONPATH": f"{BUNDLES.parent}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "a", encoding="utf-8") as file:
        subprocess.run(command, check=True, stdout=file, stderr=subprocess.STDOUT, env=environment)
