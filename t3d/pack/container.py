"""A package to be read, as a zip or as a folder: which files it has, looked at before any of them is opened."""

import contextlib
import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from t3d.errors import T3DError
from t3d.pack.safe_name import check_name

GIB = 1 << 30
MAX_GIB = 8.0
MAX_FILES = 20_000
# What running a bundle or downloading it from a hub leaves in its folder; none of it is in a package.
_LEFT_BY_RUNS = ("eval", "data")
_LEFT_BY_PYTHON = "__pycache__"


@dataclass(frozen=True)
class Package:
    """A zip with one folder, or a folder.

    Attributes:
        path: of the zip or folder.
        name: of the folder.
        files: path below the folder -> function that opens the file for reading.
    """

    path: Path
    name: str
    files: dict[str, Callable[[], IO[bytes]]]


@contextlib.contextmanager
def open_package(path: Path, *, max_gib: float = MAX_GIB) -> Iterator[Package]:
    """A package, of either kind.

    In a folder results, data, Python's caches and hidden entries at the top are looked over; all else counts.

    Raises:
        T3DError: neither a zip nor a folder; entries that leave the folder, are no plain files, come twice, are
            encrypted, or together claim more than ``max_gib``.
    """
    if not path.is_file():
        yield Package(path, path.resolve().name, {name: partial(_open, path / name) for name in _listed(path)})
        return
    with open_zip(path, max_gib=max_gib) as package:
        yield package


@contextlib.contextmanager
def open_zip(path: Path, *, max_gib: float = MAX_GIB) -> Iterator[Package]:
    """A package that must be a zip; errors as for ``open_package``."""
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile, NotImplementedError) as error:
        raise T3DError(f"{path} is no zip or is damaged ({error}); get it again from its source.") from error
    with archive:
        name, members = _members(archive.infolist(), path, max_gib)
        # a file that claims less than it has is cut there by zipfile
        yield Package(path, name, {below: partial(archive.open, info) for below, info in members.items()})


def _open(file: Path) -> IO[bytes]:
    return open(file, "rb")


def _listed(path: Path) -> Iterator[str]:
    if not path.is_dir():
        raise T3DError(f"{path} is neither a zip nor a folder; check the path.")
    for folder, folders, files in os.walk(path):
        top = Path(folder) == path
        folders[:] = [n for n in folders if n != _LEFT_BY_PYTHON and not (top and _of_runs(n))]
        for name in [*files, *folders]:
            file = Path(folder) / name
            if file.is_symlink():
                raise T3DError(f"{file} is a symbolic link, and packages have none; unpack the zip again.")
            if name in files and not (top and name.startswith(".")):
                yield file.relative_to(path).as_posix()


def _of_runs(name: str) -> bool:
    return name in _LEFT_BY_RUNS or name.startswith(".")


def _members(infos: list[zipfile.ZipInfo], path: Path, max_gib: float) -> tuple[str, dict[str, zipfile.ZipInfo]]:
    if len(infos) > MAX_FILES:
        raise T3DError(
            f"{path} has {len(infos)} entries, more than the {MAX_FILES} of any bundle; nothing was unpacked."
        )
    declared = sum(info.file_size for info in infos)
    if declared > max_gib * GIB:
        raise T3DError(
            f"{path} claims to hold {declared / GIB:.1f} GiB, more than {max_gib:g}; nothing was unpacked. If it "
            "really is that large, allow it with --max_gib."
        )
    members: dict[str, zipfile.ZipInfo] = {}
    roots, seen = set(), set()
    for info in infos:
        # zipfile cuts a name at a zero byte; orig_filename still has it
        name = check_name(info.orig_filename.removesuffix("/"), source=path)
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or info.flag_bits & 1:
            raise T3DError(f"{path}: {name} is a link, a device or encrypted; packages hold plain files only.")
        root, _, below = name.partition("/")
        roots.add(root)
        if info.is_dir():
            continue
        # on Windows and macOS names that differ in case only are one file
        if name.casefold() in seen:
            raise T3DError(f"{path}: {name} is in it twice; get the package again from its source.")
        seen.add(name.casefold())
        members[below] = info
    if len(roots) != 1 or "" in members:
        raise T3DError(
            f"{path}: packages have one folder at the top, this has {', '.join(sorted(roots)) or 'nothing'}."
        )
    return roots.pop(), members
