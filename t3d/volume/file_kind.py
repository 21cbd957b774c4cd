"""What kind of file a path names, by its ending or its first bytes."""

from pathlib import Path

NIFTI = (".nii", ".nii.gz")
_GZIP = b"\x1f\x8b"


def exists(path: str | Path) -> bool:
    """Whether there is such a file or folder; a name that no file can have, or a closed folder, has none."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # too long, a zero byte, no permission
        return False


def is_nifti(path: str | Path) -> bool:
    """Whether a name is that of a NIfTI file, whatever the case of its ending (``CT1.NII.GZ``)."""
    return Path(path).name.lower().endswith(NIFTI)


def stem(path: str | Path) -> str:
    """The file's name without ``.nii`` or ``.nii.gz``."""
    name = Path(path).name
    return next((name[: -len(end)] for end in reversed(NIFTI) if name.lower().endswith(end)), name)


def is_gzip(path: str | Path) -> bool:
    """Whether a file is compressed, by its first bytes; the ending may say otherwise."""
    with open(path, "rb") as stream:
        return stream.read(2) == _GZIP
