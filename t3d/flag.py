"""A yes or no as it was typed."""

from typing import Any

from t3d.errors import T3DError

_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def flag(name: str, value: Any) -> bool:
    """A yes or no: both command lines, ours and MONAI's, give the word "false" as text, and any text is true.

    Raises:
        T3DError: neither yes nor no.
    """
    known = _FLAGS.get(str(value).lower())
    if known is None:
        raise T3DError(f"--{name} is {value!r}; give True or False")
    return known
