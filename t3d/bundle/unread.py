"""Options that nothing reads: a misspelt one would leave its default in force without a word."""

import difflib
import re
from collections.abc import Iterator, Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any

from monai.bundle.properties import InferProperties, MetaProperties, TrainProperties
from monai.bundle.utils import DEFAULT_EXP_MGMT_SETTINGS
from monai.utils import BundlePropertyConfig

from t3d.bundle.option_table import OPTIONS
from t3d.bundle.options import SEPARATOR
from t3d.bundle.recipe import LINE, classifier, classifier_names
from t3d.files import read_json

REFERENCE = re.compile(r"@(\w+(?:(?:::|#)\w*)*)")
SECTIONS = ("train", "validate")
# arguments of ``monai.bundle run`` itself
RUN = ("config_file", "meta_file", "logging_file", "args_file", "run_id", "init_id", "final_id", "tracking")
# lists that MONAI runs, and what it, MONAI Label or an overlay reads of a configuration that has it unread
MONAI = {"imports", "initialize", "run", "finalize", "displayable_configs", "rank", "world_size"}
CLASSIFIER = f"{classifier.__module__}.{classifier.__name__}"
_TRACKERS: Mapping[str, Any] = DEFAULT_EXP_MGMT_SETTINGS  # whose values MONAI types as object
EXPERIMENTS = {key for settings in _TRACKERS.values() for key in settings["configs"]}
# "val_interval" is an option: where a configuration has it, something refers to it
PROPERTIES = {
    str(value[BundlePropertyConfig.ID])
    for properties in (TrainProperties, InferProperties, MetaProperties)
    for value in properties.values()
} - {"val_interval"}


def unread_faults(config: Mapping[str, Any], folder: Path, run_lists: set[str]) -> list[str]:
    """Say of each option that nothing in a configuration reads which one was probably meant.

    An option is read when an @reference names it or something in it, when the recipe records it, when the classifier
    takes it by its name, when it is an id that MONAI knows, when it starts with an underscore (comments), or when it
    was copied elsewhere as a %macro. What the bundle's own files say, and an overlay has put out of use, was not
    typed.

    Args:
        config: of the run, all files and overrides together, macros resolved, not yet evaluated.
        folder: with the bundle's configuration files.
        run_lists: ids of the lists that this run evaluates.
    """
    read = {name.replace("#", SEPARATOR) for name in _references(config)} | PROPERTIES
    tops = {name.split(SEPARATOR)[0] for name in read} | MONAI | EXPERIMENTS | run_lists | _of_the_recipe(config, read)
    tops |= _by_name(config)
    unread = [key for key in config if key not in tops and not key.startswith("_")]
    for section in SECTIONS:
        inside = config.get(section)
        if isinstance(inside, Mapping) and section not in read:
            names = {name.split(SEPARATOR)[1] for name in read if name.startswith(section + SEPARATOR)}
            unread += [f"{section}{SEPARATOR}{key}" for key in inside if key not in names]
    if not unread:
        return []
    shipped = _shipped(folder)
    options = {key: key for key in config if key in tops and key in OPTIONS} | {key: key for key in RUN}
    inner = [name for name in sorted(read) if name.split(SEPARATOR)[0] in SECTIONS]

    def meant(key: str) -> dict[str, str]:
        # a name of the same section before one of the other
        own, other = (
            [n for n in inner if (n.split(SEPARATOR)[0] == key.split(SEPARATOR)[0]) is same] for same in (True, False)
        )
        return {name.split(SEPARATOR)[-1]: name for name in (*other, *own)} | options if SEPARATOR in key else options

    return [
        _fault(key, meant(key), shipped)
        for key in unread
        if _at(config, key) not in shipped.get(key, []) and not _copied(_at(config, key), key, config)
    ]


def _of_the_recipe(config: Mapping[str, Any], read: set[str]) -> set[str]:
    """The options above the line, where the recipe is asked for: it takes them all."""
    return set(takewhile(lambda key: key != LINE, config)) if "recipe" in read and LINE in config else set()


def _by_name(config: Mapping[str, Any]) -> set[str]:
    network = config.get("network_def")
    return set(classifier_names()) if isinstance(network, Mapping) and network.get("_target_") == CLASSIFIER else set()


def _fault(key: str, options: dict[str, str], shipped: Mapping[str, list]) -> str:
    """`options`: what may have been meant, and how it is written."""
    if key in shipped:
        return f"--{_typed(key)} is an option of other runs, nothing in this one reads it; leave it out"
    close = difflib.get_close_matches(key.split(SEPARATOR)[-1], options, n=1)
    meant = f"did you mean --{_typed(options[close[0]])}?" if close else "see the top of the configuration file"
    return f"--{_typed(key)} is no option, nothing reads it; {meant}"


def _typed(key: str) -> str:
    return key.replace(SEPARATOR, "#")


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, str) and value[:1] in ("$", "@"):
        yield from REFERENCE.findall(value)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _references(inner)


def _shipped(folder: Path) -> dict[str, list]:
    """Ids of the configuration files of a bundle, each with the values that they give it."""
    found: dict[str, list] = {}
    for file in folder.glob("*.json"):
        content = read_json(file, what="configuration", remedy="restore it from the bundle")
        if not isinstance(content, dict):
            continue
        values = {key.replace("#", SEPARATOR): value for key, value in content.items()}
        for section in SECTIONS:
            inside = content.get(section) or {}
            values |= {f"{section}{SEPARATOR}{key}": value for key, value in inside.items()}
        for key, value in values.items():
            found.setdefault(key, []).append(_separated(value))
    return found


def _separated(value: Any) -> Any:
    """A value as MONAI keeps it, with its separator for every #."""
    if isinstance(value, str):
        return value.replace("#", SEPARATOR)
    if isinstance(value, dict):
        return {key: _separated(inner) for key, inner in value.items()}
    return [_separated(inner) for inner in value] if isinstance(value, list) else value


def _at(config: Any, key: str) -> Any:
    for name in key.split(SEPARATOR):
        config = config[name]
    return config


def _copied(value: Any, key: str, config: Mapping[str, Any]) -> bool:
    """Whether a dict or list stands a second time in a configuration, as a %macro leaves it."""
    if not isinstance(value, dict | list) or not value:
        return False
    return any(inner == value and where != key for where, inner in _parts(config, ""))


def _parts(value: Any, where: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict | list):
        yield where, value
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _parts(inner, f"{where}{SEPARATOR}{key}" if where else str(key))
