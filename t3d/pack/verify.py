"""Comparing packages with their manifests, and with each other."""

import hashlib
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from t3d.errors import T3DError
from t3d.pack.container import MAX_GIB, FolderPackage, ZipPackage, open_package
from t3d.pack.large_files import LARGE_FILES
from t3d.pack.manifest import MANIFEST, Entry, Manifest, parse_manifest

UNREADABLE = (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)
_LARGEST_MANIFEST = 16 << 20  # bytes; it is read as a whole


@dataclass(frozen=True)
class Verified:
    """A package that is as its manifest says.

    Args:
        path: the zip or folder.
        manifest: its manifest.
        to_download: files named in ``large_files.yml`` that are not there yet.
    """

    path: Path
    manifest: Manifest
    to_download: tuple[str, ...]


def verify_packages(paths: Sequence[Path], *, max_gib: float = MAX_GIB) -> list[Verified]:
    """Compare every file of each package with its manifest, and the packages with each other.

    Args:
        paths: zips or folders.
        max_gib: the most that a zip may claim to hold.

    Raises:
        T3DError: names the package and the file that was changed, is missing or was added; or the two packages whose
            versions or copies of ``t3d`` differ.
    """
    found = []
    for path in paths:
        with open_package(path, max_gib=max_gib) as package:
            found.append(verify_package(package))
    check_one_release(found)
    return found


def verify_package(package: ZipPackage | FolderPackage) -> Verified:
    """Compare every file of an open package with its manifest."""
    manifest = read_manifest(package)
    names = check_names(package, manifest)
    for name in names:
        check_hash(package, name, _sha256(package, name), manifest.entry(name))
    return Verified(package.path, manifest, tuple(sorted(set(manifest.downloads) - set(names))))


def read_manifest(package: ZipPackage | FolderPackage) -> Manifest:
    """The manifest of an open package.

    Raises:
        T3DError: there is none, or it cannot be read, or it is of another bundle than the folder in the zip says.
    """
    if MANIFEST not in package.sizes:
        raise T3DError(
            f"{package.path} has no {MANIFEST}: it was not made by t3d pack, or lost it; nothing can be checked."
        )
    if package.sizes[MANIFEST] > _LARGEST_MANIFEST:
        raise T3DError(f"{package.path}: {MANIFEST} has {package.sizes[MANIFEST]} bytes, too many to be one.")
    manifest = parse_manifest(b"".join(read_blocks(package, MANIFEST)), source=package.path)
    if isinstance(package, ZipPackage) and package.root != manifest.bundle:
        raise T3DError(f"{package.path}: its folder is {package.root}, its {MANIFEST} is of {manifest.bundle}.")
    return manifest


def check_names(package: ZipPackage | FolderPackage, manifest: Manifest) -> list[str]:
    """The files to compare, after making sure that none is missing, was added, or has another size.

    Weights that were downloaded since count among them.
    """
    missing = sorted(set(manifest.files) - set(package.sizes))
    if missing:
        raise T3DError(f"{package.path}: {missing[0]} is missing{_and(missing)}; get the package again.")
    downloaded = set(manifest.downloads) if isinstance(package, FolderPackage) else set()
    added = sorted(set(package.sizes) - set(manifest.files) - downloaded - {MANIFEST})
    if added:
        hint = " Training writes there; its weights are not those of the package." if _in_models(added[0]) else ""
        raise T3DError(f"{package.path}: {added[0]} is not of the package{_and(added)}.{hint}")
    names = sorted(set(package.sizes) - {MANIFEST})
    for name in names:
        expected = manifest.entry(name)
        if package.sizes[name] != expected.size:
            raise T3DError(
                f"{package.path}: {name} was changed: {package.sizes[name]} bytes instead of {expected.size}; "
                f"{_again(name, manifest)}."
            )
    return names


def check_hash(package: ZipPackage | FolderPackage, name: str, found: str, expected: Entry) -> None:
    """Refuse a file whose SHA-256 is not that of the manifest."""
    if found != expected.sha256:
        raise T3DError(
            f"{package.path}: {name} was changed or is damaged: sha256 {found[:12]}.. instead of "
            f"{expected.sha256[:12]}..; get the package again from its source."
        )


def check_one_release(packages: Sequence[Verified]) -> None:
    """Refuse packages that are not of one release: in one Python process only one copy of ``t3d`` is imported."""
    for other in packages[1:]:
        first = packages[0]
        for what in ("bundle_version", "t3d_version"):
            values = [getattr(package.manifest, what) for package in (first, other)]
            if values[0] != values[1]:
                raise T3DError(
                    f"{first.path} and {other.path} are of different versions ({values[0]} and {values[1]}); use "
                    "packages of one release."
                )
        codes = first.manifest.code(), other.manifest.code()
        different = sorted(name for name in {*codes[0], *codes[1]} if codes[0].get(name) != codes[1].get(name))
        if different:
            raise T3DError(
                f"{first.path} and {other.path} have different copies of t3d ({different[0]}{_and(different)}); pack "
                "all bundles in one go."
            )


def read_blocks(package: ZipPackage | FolderPackage, name: str) -> Iterator[bytes]:
    """The content of one file, in parts.

    Raises:
        T3DError: it cannot be read; what the caller does with a part raises its own errors.
    """
    try:
        with package.open(name) as file:
            while block := file.read(1 << 20):
                yield block
    except UNREADABLE as error:
        raise T3DError(f"{package.path}: {name} was changed or is damaged ({error}); get it again.") from error


def _sha256(package: ZipPackage | FolderPackage, name: str) -> str:
    digest = hashlib.sha256()
    for block in read_blocks(package, name):
        digest.update(block)
    return digest.hexdigest()


def _in_models(name: str) -> bool:
    return name.startswith("models/")


def _again(name: str, manifest: Manifest) -> str:
    if name in manifest.downloads:
        return f"delete it and download it again as {LARGE_FILES} says"
    return "get the package again from its source"


def _and(names: Sequence[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""
