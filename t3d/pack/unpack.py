"""Unpacking zips: all of them as their checksums say, or none."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

from t3d.errors import T3DError
from t3d.pack.container import MAX_GIB, open_zip
from t3d.pack.new_folder import new_folder
from t3d.pack.verify import Verified, check_one_release, check_package


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
        packages = [stack.enter_context(open_zip(path, max_gib=max_gib)) for path in zips]
        names = [package.name for package in packages]
        if len(set(names)) < len(names):
            raise T3DError(f"two of the zips hold the same bundle ({', '.join(names)}); give each once.")
        # the folders appear when all of them are complete
        folders = [stack.enter_context(new_folder(out_dir / name)) for name in names]
        found = [check_package(package, copy_to=folder) for package, folder in zip(packages, folders, strict=True)]
        check_one_release(found)
    return found
