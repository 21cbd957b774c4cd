"""The commands `t3d pack`, `t3d verify` and `t3d unpack`."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from t3d.errors import T3DError
from t3d.flag import flag

if TYPE_CHECKING:
    from t3d.pack.verify import Verified

logger = logging.getLogger(__name__)


def pack(
    *,
    out_dir: str | None = None,
    bundle: str | tuple[str, ...] = (),
    bundles_dir: str | None = None,
    models_root: str | None = None,
    large_files_url: str | None = None,
    large_file_mib: float = 25,
    hub_dir: str | None = None,
    overwrite: bool = False,
) -> None:
    """Make one zip per bundle that runs anywhere: configurations, documents, weights and a copy of t3d.

    The same sources give the same bytes. Each zip has a SHA256SUMS of its files, and out_dir one of the zips: publish
    that elsewhere than the zips.

    Args:
        out_dir: folder for the zips, such as dist.
        bundle: names of bundles, separated by commas; all if not given.
        bundles_dir: folder of the bundles, if not that of the source repository around this t3d.
        models_root: folder with one folder of weights per bundle, if they are not in the bundles.
        large_files_url: leave large weights out of the zips and name them below this URL in large_files.yml; they are
            put into out_dir/large_files, to be uploaded there.
        large_file_mib: size in MiB from which weights are large.
        hub_dir: also write a folder per bundle as it is uploaded to the Hugging Face hub, with its model card.
        overwrite: replace zips of the same name.
    """
    from t3d.pack.packages import find_bundles, pack_bundles

    if out_dir is None and hub_dir is None:
        raise T3DError("give --out_dir for zips, --hub_dir for folders of the Hugging Face hub, or both.")
    names = bundle.split(",") if isinstance(bundle, str) else [str(name) for name in bundle]
    zips = pack_bundles(
        find_bundles(_path(bundles_dir), [name.strip() for name in names if name.strip()]),
        out_dir=_path(out_dir),
        hub_dir=_path(hub_dir),
        models_root=_path(models_root),
        large_files_url=None if large_files_url is None else str(large_files_url),
        large_mib=_positive("large_file_mib", large_file_mib),
        overwrite=flag("overwrite", overwrite),
    )
    for path in zips:
        logger.info("%s: %.2f MiB", path, path.stat().st_size / (1 << 20))


def verify(*packages: str, max_gib: float = 8) -> None:
    """Compare packages, zips or unpacked folders, with their SHA256SUMS, file by file, and with each other.

    A zip is also compared with the SHA256SUMS beside it, if there is one: get that from elsewhere than the zip.
    Results (eval), data and Python's caches in a folder are not looked at: for certainty verify the zip.

    Args:
        packages: zips or folders.
        max_gib: the most GiB that a zip may claim to hold.
    """
    from t3d.pack.verify import verify_packages

    if not packages:
        raise T3DError("name the zips or folders to verify.")
    for found in verify_packages([Path(str(path)) for path in packages], max_gib=_positive("max_gib", max_gib)):
        _say("intact", found)


def unpack(*zips: str, out_dir: str, max_gib: float = 8) -> None:
    """Unpack zips made by t3d pack, checking every file; nothing is left behind when one was changed.

    Args:
        zips: one or more, of one release.
        out_dir: gets one folder per bundle; nothing there is overwritten.
        max_gib: the most GiB that a zip may claim to hold.
    """
    from t3d.pack.unpack import unpack_zips

    if not zips:
        raise T3DError("name the zips to unpack.")
    paths = [Path(str(path)) for path in zips]
    for found in unpack_zips(paths, Path(str(out_dir)), max_gib=_positive("max_gib", max_gib)):
        _say(f"unpacked into {Path(str(out_dir)) / found.name}", found)


def _say(what: str, found: "Verified") -> None:
    logger.info("%s: %s: %s, %d files", found.path, what, found.name, len(found.sums))
    if found.to_download:
        logger.info(
            "%s is not in it; run: python -m monai.bundle download_large_files --bundle_path FOLDER",
            ", ".join(found.to_download),
        )


def _path(value: Any) -> Path | None:
    return None if value is None else Path(str(value))


def _positive(name: str, value: Any) -> float:
    try:
        number = float(str(value))
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise T3DError(f"--{name} is {value!r}; give a number above 0.")
    return number
