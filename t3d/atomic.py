"""Files that are either the old one or the new one, never half of each."""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from t3d.errors import T3DError

Write = Callable[[BinaryIO], object]


def write_atomically(writers: Mapping[Path, Write | bytes]) -> None:
    """Write several files, all of them or none.

    Args:
        writers: target file -> its bytes, or a function that writes them to the open binary file it is given. All
            files are written in full before the first target is replaced; targets are replaced in the order
            given, so the file that vouches for the others (a record with checksums) comes last.

    Raises:
        T3DError: a file could not be written (full disk, no permission); the earlier files are untouched.
    """
    targets = [Path(target) for target in writers]
    temporary = [target.with_name(f".{target.name}.{os.getpid()}.tmp") for target in targets]
    try:
        for target, part, write in zip(targets, temporary, writers.values(), strict=True):
            with _said(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                with open(part, "wb") as file:
                    file.write(write) if isinstance(write, bytes) else write(file)
                    file.flush()
                    os.fsync(file.fileno())  # without it a power cut may leave a renamed but empty file
        for target, part in zip(targets, temporary, strict=True):
            with _said(target):
                os.replace(part, target)
    finally:
        for part in temporary:
            with contextlib.suppress(OSError):  # where it could not be made, the error above says why
                part.unlink(missing_ok=True)


@contextlib.contextmanager
def _said(target: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError) as error:
        # torch's writer meets a full disk and raises a RuntimeError about positions on top of it
        cause = error if isinstance(error, OSError) else error.__context__
        if not isinstance(cause, OSError):
            raise
        raise T3DError(
            f"could not save {target}: {cause.strerror or cause}. The earlier file, if any, is untouched; "
            "free some space or choose another folder and run again."
        ) from error
