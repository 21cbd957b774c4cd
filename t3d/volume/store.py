"""One volume in one file: a chunked, compressed array (blosc2) with its affine, read box by box."""

import contextlib
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from t3d.errors import T3DError
from t3d.triple import triple

ENDING = ".b2nd"
FORMAT_VERSION = 1
# Measured: crops of 96 to 128 voxels read fastest and files stay smallest with these (see docs/prepare.md).
CHUNK, BLOCK = 64, 32
_OPEN_FILES = 32
_open = threading.local()


def is_stored(path: Any) -> bool:
    """Whether a datalist entry names a file of the prepared store."""
    return isinstance(path, str | Path) and str(path).endswith(ENDING)


@dataclass(frozen=True)
class StoredVolume:
    """A file of the store. It holds no open file, so it can be copied, pickled and used in any process or thread.

    Attributes:
        path: the file.
        shape: (R, A, S).
        dtype: int16 for images, an unsigned type for labels.
        affine: (4, 4), voxels to RAS millimetres.
        spacing: millimetres as asked for when it was prepared.
        orientation: always RAS.
    """

    path: str
    shape: tuple[int, int, int]
    dtype: np.dtype
    affine: np.ndarray
    spacing: tuple[float, float, float]
    orientation: str = "RAS"

    @property
    def ndim(self) -> int:
        """Always three axes."""
        return 3

    def __getitem__(self, box: Any) -> np.ndarray:
        """The voxels of a box given by slices; only its chunks are read.

        Raises:
            T3DError: the file is damaged.
        """
        try:
            return np.asarray(_array(self.path)[box])
        except (RuntimeError, OSError, ValueError) as error:
            raise _damaged(self.path) from error

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        """All voxels."""
        whole = self[:]
        return whole if dtype is None else whole.astype(dtype)


def open_stored(path: str | Path) -> StoredVolume:
    """Look at a file of the store without reading voxels.

    Raises:
        T3DError: missing, damaged, of a newer format, or not written by ``t3d prepare``.
    """
    path = str(path)
    array = _array(path)
    try:
        about = dict(array.schunk.meta["t3d"])
    except KeyError:
        raise T3DError(
            "was not written by `t3d prepare`; prepare the cohort's datalist.", who=Path(path).name
        ) from None
    if about["format_version"] > FORMAT_VERSION:
        raise T3DError(
            f"has format {about['format_version']} and this t3d reads up to {FORMAT_VERSION}; update t3d.",
            who=Path(path).name,
        )
    return StoredVolume(
        path=path,
        shape=triple(int(side) for side in array.shape),
        dtype=np.dtype(array.dtype),
        affine=np.array(about["affine"], dtype=np.float64),
        spacing=tuple(about["spacing"]),
        orientation=about["orientation"],
    )


@contextlib.contextmanager
def new_array(
    path: Path, *, shape: Sequence[int], dtype: DTypeLike, affine: np.ndarray, spacing: Sequence[float]
) -> Iterator[Any]:
    """A blosc2 array to be filled in contiguous parts; the same parts in the same order give the same bytes.

    One thread each: threads of blosc2 write blocks in the order in which they end, and cases run side by side anyway.
    """
    blosc2 = import_blosc2()
    about = {
        "format_version": FORMAT_VERSION,
        "affine": np.asarray(affine, dtype=float).tolist(),
        "spacing": [float(side) for side in spacing],
        "orientation": "RAS",
    }
    try:
        yield blosc2.empty(
            tuple(shape),
            dtype=np.dtype(dtype),
            chunks=tuple(min(CHUNK, side) for side in shape),
            blocks=tuple(min(BLOCK, side) for side in shape),
            urlpath=str(path),
            mode="w",
            contiguous=True,
            cparams={
                "codec": blosc2.Codec.LZ4HC,
                "clevel": 5,
                "filters": [blosc2.Filter.SHUFFLE],
                "nthreads": 1,
            },
            dparams={"nthreads": 1},
            meta={"t3d": about},
        )
    except RuntimeError as error:
        # blosc2 does not say why it could not write; a full disk is the usual reason.
        raise T3DError(f"could not write {path.parent} ({error}); free some space and run again.") from error


def import_blosc2() -> Any:
    """The module blosc2.

    Raises:
        T3DError: it is not installed.
    """
    try:
        import blosc2
    except ImportError as error:
        raise T3DError("the prepared store needs the package blosc2; run: pip install 'blosc2>=3.0'") from error
    return blosc2


def _array(path: str) -> Any:
    """The open array, kept for a while; every process and thread opens files of its own.

    A handle that is carried through a fork, or used by two threads at once, reads wrong voxels.
    """
    if getattr(_open, "process", None) != os.getpid():
        _open.process, _open.arrays = os.getpid(), OrderedDict()
    try:
        state = os.stat(path)
    except OSError as error:
        raise T3DError(
            f"does not exist or cannot be read ({error.strerror}); run `t3d prepare` again.", who=path
        ) from error
    key = (path, state.st_size, state.st_mtime_ns, state.st_ino)
    if key not in _open.arrays:
        try:
            array = import_blosc2().open(path, mode="r", mmap_mode="r", dparams={"nthreads": 1})
        except (RuntimeError, OSError, ValueError) as error:
            raise _damaged(path) from error
        _open.arrays[key] = array
        if len(_open.arrays) > _OPEN_FILES:
            _open.arrays.popitem(last=False)
    _open.arrays.move_to_end(key)
    return _open.arrays[key]


def _damaged(path: str) -> T3DError:
    return T3DError(
        "is damaged, truncated or not of the prepared store; delete it and run `t3d prepare` again.",
        who=f"{Path(path).name} in {Path(path).parent}",
    )
