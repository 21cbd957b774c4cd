"""Preparing one case: its image and label onto the target grid, into the store, with index and record."""

import shutil
import zlib
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, BinaryIO

import nibabel as nib
import numpy as np

import t3d
from t3d.atomic import Write, write_atomically
from t3d.errors import T3DError
from t3d.files import json_bytes, sha256
from t3d.prepare.label_type import label_blocks, label_type
from t3d.prepare.positions import PositionSampler, lesion_positions
from t3d.prepare.record import fingerprint
from t3d.prepare.resample import resampled
from t3d.prepare.slabs import Slabs
from t3d.prepare.source import VolumeSource, open_source
from t3d.volume.grid import PreparedGrid, prepared_grid, turned_grid
from t3d.volume.hu_guard import refuse_no_hu
from t3d.volume.index import INDEX_ENDING, CaseIndex
from t3d.volume.same_voxels import grid_fault, place_on
from t3d.volume.store import ENDING, new_array, open_stored
from t3d.volume.voxel_histogram import VoxelHistogram

_INT16 = np.iinfo(np.int16)
_PACKAGES = ("monai", "numpy", "scipy", "nibabel", "blosc2")


def case_files(case: str, *, label: bool) -> dict[str, str]:
    """The files of a case in the store, by what they are; the record comes last."""
    files = {"image": f"volumes/{case}{ENDING}"}
    if label:
        files["label"] = f"labels/{case}{ENDING}"
    return {**files, "index": f"volumes/{case}{INDEX_ENDING}", "record": f"volumes/{case}.json"}


def prepare_case(
    item: Mapping[str, Any], *, folder: str, out_dir: str, settings: Mapping[str, Any], allow_no_hu: bool = False
) -> dict[str, Any]:
    """Prepare one case; either all its files are written, or none.

    Args:
        item: datalist item with absolute paths ``image`` and possibly ``label``.
        folder: the datalist's folder, to which the record's paths are relative.
        out_dir: folder of the store.
        settings: ``spacing`` (millimetres along R, A, S), ``lesion_values`` and ``seed``.
        allow_no_hu: take values that are surely no HU.

    Returns:
        The record, as it is in the file.

    Raises:
        T3DError: names the case, the fault and the remedy.
    """
    case, target = str(item["case_id"]), Path(out_dir)
    files = case_files(case, label=bool(item.get("label")))
    temporary = {what: (target / files[what]).with_name(f".{case}.new{ENDING}") for what in files if what in item}
    try:
        for path in temporary.values():
            path.parent.mkdir(parents=True, exist_ok=True)
        source = open_source(item["image"], f"case {case}: image {Path(item['image']).name}")
        grid = prepared_grid(source.shape, source.affine, settings["spacing"])
        values = VoxelHistogram()
        image = _store_image(source, grid, temporary["image"], settings, values)
        doubt = refuse_no_hu(values, case, allow=allow_no_hu)
        seed = [settings["seed"], zlib.crc32(case.encode())]
        labels = PositionSampler(seed, boxed=settings["lesion_values"])
        lesions = {}
        if "label" in temporary:
            lesions = _store_label(item, source, grid, temporary["label"], settings, labels, seed)
        index = CaseIndex(image.pop("highest"), labels.positions, labels.counts, lesions)
        content = {"index": index.to_bytes()}
        sources = {key: fingerprint(Path(item[key]), Path(folder)) for key in ("image", "label") if item.get(key)}
        record = {
            "format_version": 1,
            "case_id": case,
            "sources": sources,
            "original": {
                "shape": list(source.shape),
                "affine": source.affine.tolist(),
                "orientation": "".join(nib.aff2axcodes(source.affine)),
                **source.header,
            },
            "shape": list(grid.shape),
            "affine": grid.affine.tolist(),
            "orientation": "RAS",
            **image,
            "hu_doubt": None if doubt is None else doubt.evidence,
            "labels": {str(value): labels.counts[value] for value in sorted(labels.counts)},
            "settings": dict(settings),
            "files": {},
            "versions": {"t3d": t3d.__version__, **{name: _version(name) for name in _PACKAGES}},
        }
        _write_all(target, files, temporary, content, record)
        return record
    except OSError as error:
        raise T3DError(f"case {case}: {target} cannot be written ({error.strerror or error}).") from error
    finally:
        for path in temporary.values():
            path.unlink(missing_ok=True)


def _store_image(
    source: VolumeSource, grid: PreparedGrid, path: Path, settings: Mapping[str, Any], values: VoxelHistogram
) -> dict[str, Any]:
    """Write the image as int16 HU; returns its range, its saturated voxels and the highest value per plane.

    The source's values are counted in ``values``.
    """
    highest = [np.full(side, -np.inf, dtype=np.float32) for side in grid.shape]
    low, high, saturated = np.inf, -np.inf, 0
    with new_array(path, shape=grid.shape, dtype=np.int16, affine=grid.affine, spacing=settings["spacing"]) as array:
        slabs = Slabs(array)
        for along, first, part in resampled(_finite(source, values), grid, nearest=False):
            place = [slice(None)] * 3
            place[along] = slice(first, first + part.shape[along])
            for axis in range(3):
                across = tuple(other for other in range(3) if other != axis)
                row = highest[axis][place[axis]]
                np.maximum(row, part.max(axis=across), out=row)
            low, high = min(low, float(part.min())), max(high, float(part.max()))
            if low < _INT16.min or high > _INT16.max:
                saturated += int(((part < _INT16.min) | (part > _INT16.max)).sum())
            whole = np.rint(part, out=part if part.flags.writeable else None)
            slabs.add(along, first, np.clip(whole, _INT16.min, _INT16.max).astype(np.int16))
        slabs.finish()
    return {"hu_range": [low, high], "saturated_voxels": saturated, "highest": tuple(highest)}


def _finite(source: VolumeSource, values: VoxelHistogram) -> Iterator[tuple[int, np.ndarray]]:
    for start, block in source.blocks():
        if not np.issubdtype(block.dtype, np.integer) and not np.isfinite(block).all():
            bad = int((~np.isfinite(block)).sum())
            raise T3DError(
                f"{source.who} has voxels that are NaN or infinite ({bad} in slices {start} to "
                f"{start + block.shape[2] - 1}); replace them, for example with -1024 HU."
            )
        values.add(block[::2, ::2])  # a quarter tells HU from other values as well
        yield start, block


def _store_label(
    item: Mapping[str, Any],
    image: VolumeSource,
    grid: PreparedGrid,
    path: Path,
    settings: Mapping[str, Any],
    labels: PositionSampler,
    seed: list[int],
) -> dict:
    """Write the label on the image's grid, fill the sampler, and return the positions of lesions."""
    source = open_source(item["label"], f"case {item['case_id']}: label {Path(item['label']).name}")
    grids = image.shape, image.affine, source.shape, source.affine
    fault = grid_fault(*grids)
    if fault:
        raise T3DError(f"case {item['case_id']}: {fault}.")
    grid = turned_grid(grid, place_on(*grids).turn)
    with new_array(
        path, shape=grid.shape, dtype=label_type(source), affine=grid.affine, spacing=settings["spacing"]
    ) as array:
        slabs = Slabs(array, seen=labels.add)
        for along, first, part in resampled(label_blocks(source), grid, nearest=True):
            slabs.add(along, first, part.astype(array.dtype))
        slabs.finish()
    stored = open_stored(path)
    return {
        value: lesion_positions(stored, labels.boxes[value], value, seed=seed)
        for value in settings["lesion_values"]
        if value in labels.boxes
    }


def _write_all(target: Path, files: dict, temporary: dict, content: dict[str, bytes], record: dict) -> None:
    for what, path in temporary.items():
        record["files"][files[what]] = {"sha256": sha256(path), "size": path.stat().st_size}
    index = target / f".{record['case_id']}.index"
    try:
        index.write_bytes(content["index"])
        record["files"][files["index"]] = {"sha256": sha256(index), "size": index.stat().st_size}
    finally:
        index.unlink(missing_ok=True)
    content["record"] = json_bytes(record, indent=1)
    writers = {target / files[what]: _copy(path) for what, path in temporary.items()}
    writers |= {target / files[what]: content[what] for what in ("index", "record")}
    write_atomically(writers)


def _copy(path: Path) -> Write:
    def write(stream: BinaryIO) -> None:
        with open(path, "rb") as source:
            shutil.copyfileobj(source, stream, 2**20)

    return write


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
