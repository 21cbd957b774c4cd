"""Comparing packages with their checksums, and with each other."""

import contextlib
import hashlib
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from t3d.errors import T3DError
from t3d.pack.container import MAX_GIB, Package, open_package
from t3d.pack.large_files import LARGE_FILES, names_in
from t3d.pack.sums import OLD, SUMS, file_sha256, read_sums

_UNREADABLE = (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)


@dataclass(frozen=True)
class Verified:
    """A package that is as its checksums say.

    Args:
        path: the zip or folder.
        name: of the bundle.
        sums: path below the bundle's folder -> SHA-256.
        to_download: files named in ``large_files.yml`` that are not there yet.
    """

    path: Path
    name: str
    sums: Mapping[str, str]
    to_download: tuple[str, ...]


def verify_packages(paths: Sequence[Path], *, max_gib: float = MAX_GIB) -> list[Verified]:
    """Compare every file of each package with its checksum, and the packages with each other.

    A zip is also compared with the ``SHA256SUMS`` beside it, where that names the zip.

    Args:
        paths: zips or folders.
        max_gib: the most that a zip may claim to hold.

    Raises:
        T3DError: names the package and the file that was changed, is missing or was added; or the two packages whose
            copies of ``t3d`` differ.
    """
    found = []
    for path in paths:
        with open_package(path, max_gib=max_gib) as package:
            found.append(check_package(package))
    check_one_release(found)
    return found


def check_package(package: Package, *, copy_to: Path | None = None) -> Verified:
    """Compare every file of an open package with its checksum.

    Args:
        package: the zip or folder.
        copy_to: write what was read into this folder, too.

    Raises:
        T3DError: as ``verify_packages``.
    """
    _check_published(package.path)
    own = SUMS if SUMS in package.files else OLD
    if own not in package.files:
        raise T3DError(
            f"{package.path} has no {SUMS}: it was not made by t3d pack, or lost it; nothing can be checked."
        )
    with _readable(package, own), package.files[own]() as file:
        sums = read_sums(file, source=f"{package.path}: {own}")
    to_download = _compare_names(package, {*sums, own})
    for name in package.files:
        digest = hashlib.sha256()
        with _target(copy_to, name) as target:
            for block in _blocks(package, name):
                digest.update(block)
                if target is not None:
                    target.write(block)
        if name != own and digest.hexdigest() != sums[name]:
            again = f"delete it and download it again as {LARGE_FILES} says, or " if name in _large(package) else ""
            raise T3DError(
                f"{package.path}: {name} was changed or is damaged: sha256 {digest.hexdigest()[:12]}.. instead of "
                f"{sums[name][:12]}..; {again}get the package again from its source."
            )
    return Verified(package.path, package.name, sums, to_download)


def check_one_release(packages: Sequence[Verified]) -> None:
    """Refuse packages that are not of one release: in one Python process only one copy of ``t3d`` is imported."""
    for other in packages[1:]:
        first = packages[0]
        pairs = {*first.sums.items()} ^ {*other.sums.items()}
        different = sorted({name for name, _ in pairs if name.startswith("t3d/")})
        if different:
            raise T3DError(
                f"{first.path} and {other.path} have different copies of t3d ({different[0]}{_and(different)}); use "
                "packages of one release, and pack all bundles in one go."
            )


def _check_published(path: Path) -> None:
    beside = path.with_name(SUMS)
    if not path.is_file() or not beside.is_file():
        return
    line = rf"^([0-9a-f]{{64}}) [ *](?:\./)?{re.escape(path.name)}$"
    published = re.search(line, beside.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    with open(path, "rb") as file:
        if published and published[1] != file_sha256(file):
            raise T3DError(f"{path} is not the zip that {beside} names; get both again from their sources.")


def _compare_names(package: Package, expected: set[str]) -> tuple[str, ...]:
    """What is missing and may be, since it is downloaded."""
    large = _large(package)
    missing = sorted(expected - set(package.files))
    if lost := [name for name in missing if name not in large]:
        raise T3DError(f"{package.path}: {lost[0]} is missing{_and(lost)}; get the package again.")
    if added := sorted(set(package.files) - expected):
        hint = " Training writes there; its weights are not those of the package."
        hint = hint if added[0].startswith("models/") else ""
        raise T3DError(f"{package.path}: {added[0]} is not of the package{_and(added)}.{hint}")
    return tuple(missing)


def _large(package: Package) -> list[str]:
    """The names in ``large_files.yml``, whose own checksum is compared like any other."""
    if LARGE_FILES not in package.files:
        return []
    return names_in(next(_blocks(package, LARGE_FILES), b""))


@contextlib.contextmanager
def _readable(package: Package, name: str) -> Iterator[None]:
    try:
        yield
    except _UNREADABLE as error:
        raise T3DError(f"{package.path}: {name} was changed or is damaged ({error}); get it again.") from error


def _blocks(package: Package, name: str) -> Iterator[bytes]:
    """The content of one file, in parts; what the caller does with a part raises its own errors."""
    with _readable(package, name), package.files[name]() as file:
        while block := file.read(1 << 20):
            yield block


def _target(folder: Path | None, name: str) -> AbstractContextManager[BinaryIO | None]:
    if folder is None:
        return contextlib.nullcontext()
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    return open(folder / name, "xb")


def _and(names: Sequence[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""
