"""A few numbers per tensor, record or label map, and how closely they must agree with those of another version."""

import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

GOLDEN = Path(__file__).parent / "golden"
Golden = list[float] | np.ndarray  # numbers, or the labels of a map
# What is only computed may differ by this, relative to the size of what it describes: another CPU adds in another
# order. SSE and AVX-512 differed by a twentieth of it.
CLOSE = 1e-5
# The same for losses of a training from scratch, and for what its final model says. Adam's first steps are as long as
# the learning rate, even where a gradient is nothing but rounding (of a bias before a norm, say), and those weights
# move the others: SSE and AVX-512 differed by 1e-6 and 1e-3.
CLOSE_LOSS, CLOSE_TRAINED = 1e-4, 1e-2
# Voxels of a label map that may have another label: two classes are sometimes all but equally likely.
OTHER_LABELS = 1e-3


def seeded(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers in [-1, 1) that depend on the name and the shape alone; numpy keeps RandomState's stream for ever."""
    random = np.random.RandomState(zlib.crc32(name.encode()))
    return random.random_sample(shape) * 2 - 1


def numbers_of(name: str, values: Any) -> list[float]:
    """Mean, mean absolute value, and one fixed random projection about as large, of a tensor's values."""
    array = np.asarray(values, dtype=np.float64).ravel()
    projection = seeded(f"projection of {name}", array.shape) @ array / max(1, array.size) ** 0.5
    return [float(array.mean()), float(np.abs(array).mean()), float(projection)]


def numbers_of_all(prefix: str, tensors: Mapping[str, Any]) -> dict[str, Golden]:
    """``numbers_of`` every tensor, by ``prefix/name``."""
    return {f"{prefix}/{name}": numbers_of(name, tensor) for name, tensor in sorted(tensors.items())}


def numbers_in(prefix: str, record: Any) -> dict[str, Golden]:
    """All numbers of a JSON record by their place in it; without the options, and without times."""
    return {place: [value] for place, value in _numbers(prefix, record)}


def _numbers(place: str, record: Any) -> Iterator[tuple[str, float]]:
    if isinstance(record, Mapping):
        for key, value in record.items():
            if key not in ("settings", "recipe", "files", "format_version") and "second" not in key:
                yield from _numbers(f"{place}/{key}", value)
    elif isinstance(record, list):
        for number, value in enumerate(record):
            yield from _numbers(f"{place}/{number}", value)
    elif record is None or isinstance(record, bool | int | float):
        yield place, float("nan") if record is None else float(record)


def different(golden: Mapping[str, Golden], now: Mapping[str, Golden], *, noise: float = 0.0) -> list[str]:
    """One line for each golden entry that is missing now or does not agree.

    Args:
        golden, now: entries by name.
        noise: absolute difference that weights may have besides.
    """
    faults = []
    for name in sorted(golden):
        one, other = (np.asarray(entries.get(name, [])) for entries in (golden, now))
        if one.shape != other.shape:
            faults.append(f"{name}: shape {one.shape} before, {other.shape} now")
        elif name.endswith("/labels"):
            if (share := (one != other).mean()) > OTHER_LABELS:
                faults.append(f"{name}: {share:.2%} of the voxels have another label")
        elif (excess := _excess(name, one, other, noise)) > 1:
            faults.append(f"{name}: {one.tolist()} before, {other.tolist()} now, {excess:.3g} times what is allowed")
    return faults


def _excess(name: str, one: np.ndarray, other: np.ndarray, noise: float) -> float:
    if not np.array_equal(np.isnan(one), np.isnan(other)):
        return float("inf")
    # three numbers describe one tensor, whose size the second is
    size = np.abs(one[1] if len(one) == 3 else one)
    allowed = _allowed(name, size) + 1e-6
    if "/weights/" in name:
        allowed = allowed + noise
    return float(np.nan_to_num(np.abs(one - other) / allowed).max(initial=0))


def _allowed(name: str, size: np.ndarray) -> np.ndarray | float:
    part, _, what, *_ = name.split("/")
    if name.endswith("/shares"):
        return OTHER_LABELS
    if part == "trained" and what in ("report", "inference", "validation"):
        return CLOSE_TRAINED * size + 1e-5
    return (CLOSE_LOSS if what == "loss" else CLOSE) * size


def read_golden(stage: str) -> dict[str, Golden]:
    """Golden entries of a bundle."""
    numbers = json.loads((GOLDEN / f"{stage}.json").read_text())
    path = GOLDEN / f"{stage}_labels.npz"
    return numbers | (dict(np.load(path)) if path.is_file() else {})


def write_golden(stage: str, entries: Mapping[str, Golden]) -> None:
    """Write the entries of a bundle: one a line and seven digits a number, so that a change can be read; and maps."""
    maps = {name: value for name, value in entries.items() if isinstance(value, np.ndarray)}
    lines = [
        f"{json.dumps(name)}: {json.dumps([float(f'{value:.7g}') for value in entries[name]])}"
        for name in sorted(entries.keys() - maps.keys())
    ]
    (GOLDEN / f"{stage}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    if maps:
        np.savez_compressed(GOLDEN / f"{stage}_labels.npz", **maps)
