"""An adapter by the name of its cohort, and what it collects, checked."""

import importlib
import inspect
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from t3d.cohorts.collected import Collected
from t3d.errors import T3DError

# name on the command line -> module of t3d.cohorts
COHORTS = {
    "ct_rate": "ct_rate",
    "bimcv_r": "bimcv_r",
    "rad_chestct": "rad_chestct",
    "csv": "csv_table",
    "msd": "msd",
    "btcv": "btcv",
    "amos": "amos",
}


def find_adapter(name: str) -> tuple[str, ModuleType]:
    """Key and module of a cohort; ``CT-RATE`` is ``ct_rate``.

    Raises:
        T3DError: no such cohort.
    """
    key = name.lower().replace("-", "_")
    if key not in COHORTS:
        raise T3DError(f"cohort {name!r} is not known; choose from {', '.join(COHORTS)}")
    return key, importlib.import_module(f"t3d.cohorts.{COHORTS[key]}")


def adapter_options(adapter: ModuleType) -> set[str]:
    """Names of an adapter's own options."""
    return set(inspect.signature(adapter.collect).parameters) - {"root"}


def collect_cohort(name: str, root: str | Path, options: Mapping[str, Any] | None = None) -> Collected:
    """The cases of a cohort that is on disk.

    Args:
        name: of the cohort.
        root: folder it was unpacked to.
        options: the adapter's own.

    Raises:
        T3DError: an unknown cohort, an option of another one, and what the adapter finds.
    """
    key, adapter = find_adapter(name)
    own = adapter_options(adapter)
    foreign = sorted(set(options or {}) - own)
    if foreign:
        raise T3DError(f"--{foreign[0]} is no option of {key}; it has {', '.join(sorted(own)) or 'none of its own'}")
    collected: Collected = adapter.collect(root, **(options or {}))
    collected.check(str(Path(root).expanduser()), adapter.LAYOUT)
    return collected
