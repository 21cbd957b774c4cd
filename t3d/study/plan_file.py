"""The file of a plan, on top of the one that it extends."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from t3d.errors import T3DError
from t3d.files import read_json

PLANS = Path(__file__).parent / "plans"
_EXTENDS = "extends"
_ANY = "*"
# entries of a plan that are paths
_PATHS = (
    ("cohort", "datalist"),
    ("cohort", "published", _ANY, "root"),
    ("arms", _ANY, "encoder"),
    ("tasks", "zero_shot", "prompts"),
)


def read_plan_file(path: str | Path, *, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The entries of a plan; those of the plan that it ``extends`` stand where it has none of its own.

    An entry is taken as a whole, such as all ``tasks``. Paths become absolute: they are relative to the file that
    names them.

    Args:
        path: a JSON file, or the name of a plan that is shipped; in ``extends`` relative to the plan that says so.
        above: the files that lead here, each by its ``extends``.

    Raises:
        T3DError: no such plan, no JSON object, or plans that extend each other in a circle.
    """
    file = _file(path, above)
    if file in above:
        circle = " -> ".join(one.name for one in (*above[above.index(file) :], file))
        raise T3DError(f"{file.name}: the plans extend each other in a circle, {circle}; take one extends out")
    shipped = ", ".join(sorted(one.stem for one in PLANS.glob("*.json")))
    content = read_json(
        file, what="plan", remedy="see docs/study.md", absent=f"give a file or a shipped plan: {shipped}"
    )
    for place in _PATHS:
        content = _absolute(content, place, file.parent)
    base = content.pop(_EXTENDS, None)
    if base is None:
        return content
    if not isinstance(base, str):
        raise T3DError(f"{file.name}: extends is {base!r}; give the file of a plan, or the name of a shipped one")
    return {**read_plan_file(base, above=(*above, file)), **content}


def _file(path: str | Path, above: tuple[Path, ...]) -> Path:
    file = above[-1].parent / path if above else Path(path)
    shipped = PLANS / f"{path}.json"
    return (shipped if not file.is_file() and shipped.is_file() else file).resolve()


def _absolute(entry: Any, place: Sequence[str], folder: Path) -> Any:
    """The entry with the path at a place in it made absolute; what is no path there is left to the plan's check."""
    if not place:
        return str((folder / entry).resolve()) if isinstance(entry, str) else entry
    if not isinstance(entry, dict):
        return entry
    return {key: _absolute(one, place[1:], folder) if place[0] in (key, _ANY) else one for key, one in entry.items()}
