"""What was typed after an option, against what the option takes: one sentence for each other value."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from t3d.bundle.option_kinds import Kind, flag
from t3d.bundle.option_table import OPTIONS
from t3d.errors import T3DError

SEPARATOR = "::"  # MONAI's, which may be written as # on the command line
# besides the top level, MONAI Label gives values here
SECTIONS = (("displayable_configs",), ("train", "trainer"))


def value_faults(config: Mapping[str, Any]) -> list[str]:
    """Say of each option whose value is none of its kind what it is and what to give.

    What is found only in the run itself is left alone: expressions ($), references (@) and components.

    Args:
        config: of the run, all files and overrides together, not yet evaluated.
    """
    given = {name: config[name] for name in OPTIONS if name in config}
    return [
        fault
        for name, value in [*given.items(), *_nested(config)]
        if not _found_later(value) and (fault := _fault(name, OPTIONS[name.split("#")[-1]], value))
    ]


def cut_faults(arguments: Sequence[str]) -> list[str]:
    """Say of each path on a command line that it has a #: from there on it is a comment for MONAI's command line.

    Args:
        arguments: of the process; `value_faults` sees only what is left of the value.
    """
    joined = [argument.partition("=")[::2] for argument in arguments if "=" in argument]
    return [
        _separated(name[2:], value)
        for name, value in [*joined, *itertools.pairwise(arguments)]
        if name[2:] in OPTIONS and OPTIONS[name[2:]].place and "#" in value
    ]


def _separated(name: str, value: str) -> str:
    return f"--{name} is {value!r}, but # and :: have a meaning of their own for MONAI; give a path without them"


def _nested(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for section in SECTIONS:
        inside: Any = config
        for key in section:
            inside = inside.get(key) if isinstance(inside, Mapping) else None
        if isinstance(inside, Mapping):
            yield from ((f"{'#'.join(section)}#{key}", value) for key, value in inside.items() if key in OPTIONS)


def _found_later(value: Any) -> bool:
    return (isinstance(value, str) and value[:1] in ("$", "@")) or (isinstance(value, Mapping) and "_target_" in value)


def _fault(name: str, kind: Kind, value: Any) -> str | None:
    if (value is None and kind.none) or kind.accepts(value):
        return None
    if kind.yes_or_no and isinstance(value, str):
        word = {"true": "True", "yes": "True", "false": "False", "no": "False"}.get(value.lower(), "True or False")
        return f"--{name} is the text {value!r}, which would count as yes: write --{name} {word} (Python's words)"
    if kind.place and isinstance(value, int | float):
        return f"--{name} is the number {value!r}; write a name of digits with its folder, such as --{name} ./{value}"
    if kind.place and isinstance(value, str) and SEPARATOR in value:
        return _separated(name, value)
    return f"--{name} is {value!r}; give {kind.wanted}" + (" or None" if kind.none else "")


def check_flags(**flags: Any) -> None:
    """What the `run` lists of version 0.1.0 began with, for overlays that still have one; goes with `t3d.renamed`.

    Raises:
        T3DError: an option that is meant as yes or no and is text, which would be yes.
    """
    for name, value in flags.items():
        if isinstance(value, str):
            raise T3DError(str(_fault(name, flag(), value)))
