"""From bundles to packages: zips, weights beside them, and folders for the hub."""

import logging
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

import t3d
from t3d.atomic import Write, write_atomically
from t3d.errors import T3DError
from t3d.pack.bundle_files import Contents, bundle_files, code_files
from t3d.pack.bundle_zip import open_content, sums_of, write_folder, write_zip
from t3d.pack.large_files import LARGE_FILES, checked_url, large_files_yml, split_large
from t3d.pack.new_folder import refuse_existing
from t3d.pack.sums import SUMS, file_sha256, read_sums, sums_bytes
from t3d.pack.versions import checked_version

logger = logging.getLogger(__name__)

LARGE_MIB = 25.0  # the model zoo's limit for one file
UPLOADS = "large_files"
# Byte for byte what monai.bundle.push_to_hf_hub puts before docs/README.md: it writes README.md anew while uploading,
# and the uploaded folder must still be what its checksums say.
FRONT_MATTER = b"---\ntags:\n- monai\n- medical\nlibrary_name: monai\nlicense: apache-2.0\n---\n"


def find_bundles(bundles_dir: Path | None, names: Sequence[str] = ()) -> list[Path]:
    """The folders of bundles to pack.

    Args:
        bundles_dir: folder of bundles; None: ``bundles`` beside the running package, as in the source repository.
        names: only these.

    Raises:
        T3DError: there are none, or none of a name.
    """
    folder = bundles_dir or Path(t3d.__file__).resolve().parents[1] / "bundles"
    found = {path.parents[1].name: path.parents[1] for path in sorted(folder.glob("*/configs/metadata.json"))}
    if not found:
        raise T3DError(
            f"there are no bundles in {folder}; they are not part of the installed package: give the folder that "
            "holds t3d_pretrain and the others (bundles/ of the source repository) with --bundles_dir."
        )
    unknown = [name for name in names if name not in found]
    if unknown:
        raise T3DError(f"there is no bundle {unknown[0]} in {folder}; it has {', '.join(found)}.")
    return [found[name] for name in names or found]


def models_folder(models_root: Path | None, bundle: str) -> Path | None:
    """Where a bundle's weights lie: ``models_root/BUNDLE/models``, or ``models_root/BUNDLE``; None without a root.

    Raises:
        T3DError: there is no folder of the bundle.
    """
    if models_root is None:
        return None
    folder = models_root / bundle
    if not folder.is_dir():
        raise T3DError(f"there is no folder {folder}; --models_root holds one folder per bundle, with model.pt.")
    return folder / "models" if (folder / "models").is_dir() else folder


def pack_bundles(
    bundles: Sequence[Path],
    *,
    out_dir: Path | None = None,
    hub_dir: Path | None = None,
    models_root: Path | None = None,
    large_files_url: str | None = None,
    large_mib: float = LARGE_MIB,
    overwrite: bool = False,
) -> list[Path]:
    """Write ``NAME_vVERSION.zip`` of every bundle into ``out_dir``, and folders for the hub into ``hub_dir``.

    All packages get the same copy of ``t3d`` and a ``SHA256SUMS`` of all their files; ``out_dir`` gets one of the zips
    and of what is uploaded beside them. Zips are written together: all or none.

    Args:
        bundles: their folders.
        out_dir: folder for the zips, made if absent; None: no zips.
        hub_dir: folder for the hub's folders, each with its model card, and weights of any size; None: none.
        models_root: where the weights lie, if not in the bundles; see ``models_folder``.
        large_files_url: leave weights above ``large_mib`` out and name them below this URL; they are put into
            ``out_dir/large_files/NAME_vVERSION/models``, whose content belongs there.
        large_mib: MiB.
        overwrite: replace zips of the same name.

    Returns:
        The zips.

    Raises:
        T3DError: versions that differ, a bundle that lacks a part, or a file that exists.
    """
    code = code_files()
    writers: dict[Path, Write | bytes] = {}
    published = _earlier(out_dir)
    url = None if large_files_url is None else checked_url(large_files_url)
    for bundle in bundles:
        package = f"{bundle.name}_v{checked_version(bundle)}"
        contents = {**bundle_files(bundle, models=models_folder(models_root, bundle.name)), **code}
        if hub_dir is not None:
            with open_content(contents["docs/README.md"]) as file:
                card = FRONT_MATTER + file.read()
            write_folder(hub_dir / bundle.name, _with_sums({**contents, "README.md": card}))
            logger.info("%s: %d files in %s", bundle.name, len(contents) + 2, hub_dir / bundle.name)
        if out_dir is not None:
            large = {} if url is None else split_large(contents, limit=int(large_mib * (1 << 20)))
            if large:
                sums = sums_of(large)
                contents[LARGE_FILES] = large_files_yml(sums, url=f"{url}/{package}")
                published.update({f"{UPLOADS}/{package}/{name}": digest for name, digest in sums.items()})
            writers.update({out_dir / UPLOADS / package / n: partial(_copied, path) for n, path in large.items()})
            contents = _with_sums(contents, left_out=large)
            writers[out_dir / f"{package}.zip"] = partial(_zipped, contents, bundle.name, f"{package}.zip", published)
    if not overwrite:
        for target in writers:
            refuse_existing(target)
    if out_dir is not None:
        writers[out_dir / SUMS] = partial(_listed, published)
    write_atomically(writers)
    return [target for target in writers if target.suffix == ".zip"]


def _with_sums(contents: Contents, *, left_out: Mapping[str, Path] | None = None) -> Contents:
    return {**contents, SUMS: sums_bytes(sums_of({**contents, **(left_out or {})}))}


def _zipped(contents: Contents, bundle: str, name: str, published: dict[str, str], file: BinaryIO) -> None:
    write_zip(file, contents, bundle=bundle)
    file.flush()
    with open(file.name, "rb") as written:
        published[name] = file_sha256(written)


def _earlier(out_dir: Path | None) -> dict[str, str]:
    """The checksums of other zips in the folder."""
    if out_dir is None or not (out_dir / SUMS).is_file():
        return {}
    with open(out_dir / SUMS, "rb") as file:
        return read_sums(file, source=out_dir / SUMS)


def _listed(published: Mapping[str, str], file: BinaryIO) -> None:
    file.write(sums_bytes(published))


def _copied(path: Path, file: BinaryIO) -> None:
    with open(path, "rb") as source:
        shutil.copyfileobj(source, file)
