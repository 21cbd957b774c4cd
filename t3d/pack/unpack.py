"""Unpacking zips: all of them as their manifests say, or none."""

import contextlib
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from t3d.errors import T3DError
from t3d.pack.container import MAX_GIB, ZipPackage
from t3d.pack.manifest import MANIFEST, Manifest
from t3d.pack.new_folder import new_folder, refuse_existing
from t3d.pack.verify import Verified, check_hash, check_names, check_one_release, read_blocks, read_manifest


def unpack_zips(zips: Sequence[Path], out_dir: Path, *, max_gib: float = MAX_GIB) -> list[Verified]:
    """Unpack bundle zips into folders below ``out_dir``, checking every byte on the way.

    Args:
        zips: made by ``t3d pack``, of one release.
        out_dir: made if absent; gets one folder per zip, none of which may exist.
        max_gib: the most that a zip may claim to hold.

    Raises:
        T3DError: as ``verify_packages``, or a folder exists; no folder is left behind in either case.
    """
    with contextlib.ExitStack() as stack:
        packages = [stack.enter_context(ZipPackage(path, max_gib=max_gib)) for path in zips]
        manifests = [read_manifest(package) for package in packages]
        names = [manifest.bundle for manifest in manifests]
        if len(set(names)) < len(names):
            raise T3DError(f"two of the zips hold the same bundle ({', '.join(names)}); give each once.")
        for name in names:
            refuse_existing(out_dir / name)
        found = [
            Verified(package.path, manifest, tuple(sorted(manifest.downloads)))
            for package, manifest in zip(packages, manifests, strict=True)
        ]
        check_one_release(found)
        with contextlib.ExitStack() as folders:
            for package, manifest in zip(packages, manifests, strict=True):
                _extract(package, manifest, folders.enter_context(new_folder(out_dir / manifest.bundle)))
    return found


def _extract(package: ZipPackage, manifest: Manifest, folder: Path) -> None:
    for name in [*check_names(package, manifest), MANIFEST]:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "xb") as file:
            found = _copy(package, name, file)
        if name != MANIFEST:
            check_hash(package, name, found, manifest.files[name])


def _copy(package: ZipPackage, name: str, target: BinaryIO) -> str:
    digest = hashlib.sha256()
    for block in read_blocks(package, name):
        digest.update(block)
        target.write(block)
    return digest.hexdigest()
