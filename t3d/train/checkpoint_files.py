"""The checkpoints of a training, by the names of their files."""

import re
from pathlib import Path

_NAME = re.compile(r"checkpoint_epoch=(\d+)\.pt")


def checkpoint_file(folder: Path, epoch: int) -> Path:
    """Where the checkpoint of an epoch lies."""
    return folder / f"checkpoint_epoch={epoch}.pt"


def checkpoint_files(folder: Path) -> list[tuple[int, Path]]:
    """(epoch, path) of the checkpoints in a folder, oldest first; none where there is no folder."""
    found = [(int(m[1]), path) for path in folder.glob("*.pt") if (m := _NAME.fullmatch(path.name))]
    return sorted(found)
