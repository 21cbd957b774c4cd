"""Entries of a plan, and what is wrong with them, for one message about all of it."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """Overlays of a bundle and options on top of them."""

    overlays: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)

    def and_then(self, other: "Recipe") -> "Recipe":
        """Both, the other's options before these."""
        return Recipe((*self.overlays, *other.overlays), {**self.options, **other.options})


def read_recipe(
    given: Any, where: str, faults: list[str], *, known: Sequence[str] = ("overlays", "options")
) -> Recipe:
    """Overlays and options of an entry with these names; what is wrong goes to ``faults``."""
    if not isinstance(given, Mapping):
        faults.append(f'{where} must be an object such as {{"overlays": ["demo"], "options": {{"max_epochs": 10}}}}')
        return Recipe()
    unknown_names(given, known, where, faults)
    overlays, options = given.get("overlays", []), given.get("options", {})
    if not isinstance(overlays, list) or not all(isinstance(one, str) for one in overlays):
        faults.append(f"{where}: overlays is {overlays!r}; give a list of names of a bundle's configurations")
        overlays = []
    if not isinstance(options, Mapping):
        faults.append(f"{where}: options is {options!r}; give an object of options of the bundle")
        options = {}
    return Recipe(tuple(overlays), dict(options))


def unknown_names(given: Mapping[str, Any], known: Sequence[str], where: str, faults: list[str]) -> None:
    """Add a fault for each entry that is none, with the nearest name that is one."""
    faults += [f"{where} has no entry {key!r}{nearest(key, known)}" for key in given if key not in known]


def nearest(name: Any, known: Sequence[str] | Mapping[str, Any]) -> str:
    """The end of a sentence about a wrong name: the nearest right one, or all."""
    close = difflib.get_close_matches(str(name), list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(known)}"


def whole_numbers(values: Any, *, least: int) -> bool:
    """Whether these are a list of whole numbers from ``least`` on."""
    return isinstance(values, list) and all(
        isinstance(one, int) and not isinstance(one, bool) and one >= least for one in values
    )
