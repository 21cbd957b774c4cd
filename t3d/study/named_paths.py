"""Options that name one path, or a path for each of several names."""

from collections.abc import Sequence
from pathlib import Path

from t3d.errors import T3DError


def named_paths(text: str | None, names: Sequence[str], *, option: str) -> dict[str, Path]:
    """Name -> absolute path.

    Args:
        text: ``PATH`` where there is one name, or ``NAME=PATH,OTHER=PATH``; None gives none.
        names: that may be given.
        option: name of the option, for messages.

    Raises:
        T3DError: a name that is none of these, or one path for several names.
    """
    if text is None:
        return {}
    if not names:
        raise T3DError(f"--{option} {text}: the plan has nothing that asks for it; leave it out")
    if any(text.startswith(f"{name}=") for name in names):
        parts = [part.partition("=") for part in text.split(",")]
        wrong = [name for name, _, path in parts if name not in names or not path]
        if wrong:
            raise T3DError(f"--{option} names {wrong[0]!r}; the plan has {', '.join(names)}, such as {names[0]}=PATH")
        return {name: Path(path).expanduser().absolute() for name, _, path in parts}
    if len(names) > 1:
        each = ",".join(f"{name}=PATH" for name in names)
        raise T3DError(f"--{option} {text} is one path, and the plan has {', '.join(names)}; give {each}")
    return {names[0]: Path(text).expanduser().absolute()}
