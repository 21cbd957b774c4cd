"""One case: its files, headers, grids, voxels and label values."""

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from t3d.check.label import look_at_label
from t3d.check.slabs import is_streamed, open_streamed, slabs
from t3d.check.slice import MiddleSlice, Picture
from t3d.errors import T3DError
from t3d.volume.dicom_series import check_item
from t3d.volume.hu_guard import hu_doubt, remedy
from t3d.volume.nifti_header import header_doubts, header_faults
from t3d.volume.voxel_histogram import VoxelHistogram

UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    RuntimeError,
    MemoryError,
    ArithmeticError,
    ImportError,
    AttributeError,
    zlib.error,
    nib.filebasedimages.ImageFileError,
    nib.spatialimages.HeaderDataError,
)
# With fewer grey levels than these, two different volumes may have the same histogram.
TELLING_LEVELS = 256


@dataclass
class CaseFacts:
    """What was seen of one case.

    Attributes:
        faults, doubts: (kind, what was found and the remedy).
        shape, spacing (mm), orientation (such as "LPS"): of the image, where its header could be read.
        quantiles: lowest, median, 99.9 % and highest value, where voxels were read.
        fingerprint: equal for images of the same content, also in another orientation or compression.
        label_values: of the label.
        picture: of the middle axial slice, where asked for.
    """

    faults: list[tuple[str, str]] = field(default_factory=list)
    doubts: list[tuple[str, str]] = field(default_factory=list)
    shape: tuple[int, ...] | None = None
    spacing: tuple[float, ...] | None = None
    orientation: str | None = None
    quantiles: tuple[float, ...] | None = None
    fingerprint: bytes | None = None
    label_values: tuple[int, ...] = ()
    picture: Picture | None = None


def look_at_case(
    item: Mapping[str, Any], *, fast: bool = False, picture: bool = False, allow_no_hu: bool = False
) -> CaseFacts:
    """Look at a case's files; every fault becomes a line, none an exception.

    Args:
        item: with absolute paths ``image`` and perhaps ``label``.
        fast: read headers only; then only the very same file counts as identical.
        picture: keep the middle slice.
        allow_no_hu: values that are no HU are a doubt, not a fault.
    """
    facts = CaseFacts()
    for key in ("image", "label"):
        fault = _file_fault(item, key)
        if fault:
            facts.faults.append((key, fault))
    if any(kind == "image" for kind, _ in facts.faults):
        return facts
    path = Path(item["image"])
    stat = path.stat()
    facts.fingerprint = f"{stat.st_dev}:{stat.st_ino}".encode()
    grid = None
    try:
        image = _opened(item, path, facts, whole=not fast)
        if image is not None:
            voxels, shape, affine = image
            facts.shape = tuple(int(n) for n in shape[:3])
            grid = (facts.shape, affine)
            facts.spacing = tuple(float(v) for v in np.linalg.norm(affine[:3, :3], axis=0))
            facts.orientation = "".join(nib.aff2axcodes(affine))
            if not fast:
                _read(voxels, shape, affine, facts, picture=picture, allow=allow_no_hu)
    except T3DError as error:
        facts.faults.append(("image", _without_names(str(error), item)))
    except UNREADABLE as error:
        facts.faults.append(("image", f"cannot be read ({type(error).__name__}); copy or export it again"))
    if isinstance(item.get("label"), str) and not any(kind == "label" for kind, _ in facts.faults):
        look_at_label(Path(item["label"]), grid, facts, fast=fast, unreadable=UNREADABLE)
    return facts


def _file_fault(item: Mapping[str, Any], key: str) -> str | None:
    name = item.get(key)
    if name is None:
        return None
    if not isinstance(name, str):
        return f"is a {type(name).__name__}, not the path of a file; correct the datalist"
    path = Path(name)
    if not path.exists():
        return "file is missing; correct its path in the datalist or restore it"
    if path.is_file() and path.stat().st_size == 0:
        return "file has 0 bytes; copy or export it again"
    return None


def _opened(item: Mapping[str, Any], path: Path, facts: CaseFacts, *, whole: bool):
    """Voxels or a proxy of them, shape and affine; None after a fault or where only voxels would tell more."""
    if is_streamed(path):
        image = open_streamed(path)
        faults = header_faults(image, path)
        facts.faults += [("image", fault) for fault in faults]
        facts.doubts += [("image", doubt) for doubt in header_doubts(image)]
        usable = abs(np.linalg.det(image.affine[:3, :3])) > 1e-9 if len(image.shape) >= 3 else False
        return None if any(_hopeless(fault) for fault in faults) or not usable else (
            image.dataobj, image.shape, image.affine)  # fmt: skip
    check_item(dict(item))  # folders of DICOM files
    if not whole:
        return None
    from t3d.volume.load import LoadVolumed  # MONAI takes seconds to import, and most cohorts are NIfTI

    volume = LoadVolumed("image")({"image": str(path)})["image"]
    return volume[0].numpy(), volume.shape[1:], np.asarray(volume.affine)


def _hopeless(fault: str) -> bool:
    return not fault.startswith(("has the spacing", "states"))


def _read(voxels, shape, affine: np.ndarray, facts: CaseFacts, *, picture: bool, allow: bool) -> None:
    histogram, content, middle = VoxelHistogram(), hashlib.blake2b(digest_size=16), MiddleSlice(shape, affine)
    for start, slab in slabs(voxels, shape):
        histogram.add(slab)
        content.update(np.ascontiguousarray(slab, dtype=np.float32).tobytes())
        middle.add(start, slab)
    if histogram.not_finite:
        facts.faults.append(
            (
                "image",
                f"has {histogram.not_finite} voxels that are NaN or infinite; replace them, for example with -1024",
            )
        )
    if histogram.levels() >= TELLING_LEVELS and not histogram.not_finite:
        # a turned or flipped copy has the same counts
        content = hashlib.blake2b(histogram.counts.tobytes(), digest_size=16)
        content.update(str(sorted(shape[:3])).encode())
    facts.fingerprint = content.digest()
    facts.quantiles = (histogram.low, histogram.percentile(50), histogram.percentile(99.9), histogram.high)
    doubt = hu_doubt(histogram)
    if doubt is not None:
        sure = doubt.sure and not allow
        override = " (or pass --allow_no_hu True)" if sure else ""
        (facts.faults if sure else facts.doubts).append(("not HU", f"{doubt.evidence}; {remedy(doubt)}{override}"))
    if picture and histogram.size:
        facts.picture = middle.picture(histogram)


def _without_names(message: str, item: Mapping[str, Any]) -> str:
    """A message of the loader about this image, without its path and folder, which may name a patient."""
    path = Path(item["image"])
    for start in (f"case {item.get('case_id')}: ", f"DICOM folder {path.name}: ", f"case {path.name}: image "):
        message = message.removeprefix(start)
    return message.replace(str(path), "the file").replace(path.name, "the file").rstrip(".")
