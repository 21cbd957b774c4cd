"""One case: its files, headers, grids, voxels and label values."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from t3d.check.label import look_at_label
from t3d.check.remark import without_names
from t3d.check.slabs import open_streamed, slabs
from t3d.check.slice import MiddleSlice, Picture
from t3d.errors import T3DError
from t3d.volume.file_kind import exists
from t3d.volume.hu_guard import hu_doubt, remedy
from t3d.volume.image_file import CtHeader
from t3d.volume.voxel_histogram import VoxelHistogram

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
        header = open_streamed(path)
        facts.faults += [("image", fault.what) for fault in header.faults]
        facts.doubts += [("image", doubt) for doubt in header.doubts]
        if _usable(header):
            facts.shape = header.shape[:3]
            grid = (facts.shape, header.affine)
            facts.spacing = tuple(float(v) for v in np.linalg.norm(header.affine[:3, :3], axis=0))
            facts.orientation = "".join(nib.aff2axcodes(header.affine))
            if not fast:
                _read(header, facts, picture=picture, allow=allow_no_hu)
    except (T3DError, MemoryError) as error:
        facts.faults.append(("image", without_names(error, path)))
    if isinstance(item.get("label"), str) and not any(kind == "label" for kind, _ in facts.faults):
        look_at_label(Path(item["label"]), grid, facts, fast=fast)
    return facts


def _file_fault(item: Mapping[str, Any], key: str) -> str | None:
    name = item.get(key)
    if name is None:
        return None
    if not isinstance(name, str):
        return f"is a {type(name).__name__}, not the path of a file; correct the datalist"
    path = Path(name)
    if not exists(path):
        return "file is missing; correct its path in the datalist or restore it"
    if path.is_file() and path.stat().st_size == 0:
        return "file has 0 bytes; copy or export it again"
    return None


def _usable(header: CtHeader) -> bool:
    """Whether the voxels can be looked at in spite of the faults."""
    if any(fault.kind != "spacing" for fault in header.faults) or len(header.shape) < 3:
        return False
    return bool(abs(np.linalg.det(header.affine[:3, :3])) > 1e-9)


def _read(header: CtHeader, facts: CaseFacts, *, picture: bool, allow: bool) -> None:
    shape = header.shape
    histogram, content, middle = VoxelHistogram(), hashlib.blake2b(digest_size=16), MiddleSlice(shape, header.affine)
    for start, slab in slabs(header.image.dataobj, shape):
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
