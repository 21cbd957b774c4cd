"""A folder that is there as a whole or not at all."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from t3d.errors import T3DError


def refuse_existing(path: Path) -> None:
    """Raise a T3DError where something is already there, even a broken link."""
    if os.path.lexists(path):
        raise T3DError(f"{path} exists already and is left as it is; choose another folder, or move it away first.")


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside ``path`` that becomes it when the block ends without an error, and else vanishes.

    Raises:
        T3DError: ``path`` exists, or the folder cannot be written.
    """
    refuse_existing(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.mkdir(parents=True)
        yield part
        refuse_existing(path)
        os.rename(part, path)
    except OSError as error:
        raise T3DError(
            f"could not write {path} ({error.strerror or error}); free some space or choose another folder."
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
