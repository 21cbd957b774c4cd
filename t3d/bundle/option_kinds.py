"""Kinds of values that an option may have: what is wanted, in words, and whether a value is that."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import torch


@dataclass(frozen=True)
class Kind:
    """What an option takes.

    Args:
        wanted: ends the sentence "--spacing is 0; give ..".
        accepts: whether a value is of this kind.
        none: whether None is allowed, too.
        yes_or_no: a flag, whose faults have words of their own.
        place: a file or a folder, whose faults have words of their own.
    """

    wanted: str
    accepts: Callable[[Any], bool]
    none: bool = False
    yes_or_no: bool = False
    place: bool = False


def whole(least: int = 1, why: str = "", *, step: int = 1, none: bool = False) -> Kind:
    """A whole number from `least` on, in steps."""
    words = f"a whole number of at least {least}" if step == 1 else f"a whole number divisible by {step}"
    return Kind(words + _why(why), lambda v: _whole(v) and v >= least and v % step == 0, none)


def number(
    why: str = "",
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
    none: bool = False,
) -> Kind:
    """A number in a range whose ends belong to it (`least`, `most`) or not (`above`, `below`)."""
    ends = ((least, "of at least"), (above, "above"), (most, "at most"), (below, "below"))
    words = "a number " + " and ".join(f"{word} {end:g}" for end, word in ends if end is not None)

    def accepts(value: Any) -> bool:
        return (
            _number(value)
            and (least is None or value >= least)
            and (above is None or value > above)
            and (most is None or value <= most)
            and (below is None or value < below)
        )

    return Kind(words + _why(why), accepts, none)


def flag(*, none: bool = False) -> Kind:
    """Yes or no; 1 and 0 count as well."""
    return Kind("True or False", lambda v: isinstance(v, bool) or (_whole(v) and v in (0, 1)), none, yes_or_no=True)


def place(*, none: bool = False) -> Kind:
    """A file or folder. MONAI has turned every # of a configuration into ::, its own separator."""
    return Kind("a path as text", lambda v: _text(v) and "::" not in v, none, place=True)


def text(why: str = "a text", *, none: bool = False) -> Kind:
    """Any text."""
    return Kind(why, _text, none)


def one_of(*choices: str) -> Kind:
    """One of some words."""
    return Kind(f"one of {', '.join(choices)}", lambda v: isinstance(v, str) and v in choices)


def listed(item: Callable[[Any], bool], wanted: str, *, empty: bool = False, none: bool = False) -> Kind:
    """A list of values."""
    return Kind(wanted, lambda v: _sequence(v) and (empty or len(v) > 0) and all(map(item, v)), none)


def names(example: str, *, empty: bool = False, none: bool = False) -> Kind:
    """A list of distinct names."""
    wanted = f"a list of distinct names, such as \"['{example}']\""
    kind = listed(_text, wanted, empty=empty, none=none)
    return Kind(wanted, lambda v: kind.accepts(v) and len(set(v)) == len(v), none)


SPACING = Kind(
    "three numbers above 0, in mm along x, y and z, such as 0.75,0.75,1.5",
    lambda v: _sequence(v) and len(v) == 3 and all(_number(side) and side > 0 for side in v),
)
HU_RANGE = Kind(
    "two numbers in HU, the lower one first, such as -1000,1000",
    lambda v: _sequence(v) and len(v) == 2 and all(map(_number, v)) and v[0] < v[1],
)
SIDES = Kind(
    "a whole number of voxels, or three of them, such as 96 or 96,96,64",
    lambda v: (_whole(v) and v > 0) or (_sequence(v) and len(v) == 3 and all(_whole(side) and side > 0 for side in v)),
)
ORIENTATION = Kind(
    "three capital letters, one each of L or R, P or A, I or S, such as RAS",
    lambda v: isinstance(v, str) and len(v) == 3 and all(len(set(v) & set(pair)) == 1 for pair in ("LR", "PA", "IS")),
)
AXES = listed(lambda v: _whole(v) and v in (0, 1, 2), 'a list of axes out of 0, 1 and 2, such as "[0]"', empty=True)
SECTIONS = Kind("findings, impression, or a list of both", lambda v: _text(v) or (_sequence(v) and all(map(_text, v))))
SENTENCES = Kind(
    "all, a share above 0 and at most 1.0, or a whole number from 1 on",
    lambda v: v == "all" or (v >= 1 if _whole(v) else _number(v) and 0 < v <= 1),
)
PAIRS = Kind('a whole number from 1 on, or "both"', lambda v: v == "both" or (_whole(v) and v >= 1))
POOLING = Kind(
    "a list of mean, max and min, or of some of them, such as \"['mean','max']\"",
    lambda v: _sequence(v) and 0 < len(v) == len(set(v)) and set(v) <= {"mean", "max", "min"},
)
FUSE_STRIDE = Kind(
    "8, 16 or 32 voxels, of those that the backbone has, or None for its deepest map",
    lambda v: _whole(v) and v in (8, 16, 32),
    none=True,
)
STEM_STRIDE = Kind("1, 2 or 4 voxels a side", lambda v: _whole(v) and v in (1, 2, 4))
AMP_DTYPE = Kind(
    "'$torch.bfloat16' or '$torch.float16', in quotes and with the $",
    lambda v: v in (torch.bfloat16, torch.float16),
)
DEVICE = Kind("a device of torch, such as cpu or cuda:0", lambda v: _device(v))


def _text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _sequence(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _device(value: Any) -> bool:
    try:
        torch.device(value)
    except (RuntimeError, TypeError):
        return False
    return True


def _why(why: str) -> str:
    return f" ({why})" if why else ""
