"""The file of a plan, on top of the one that it extends."""

from pathlib import Path
from typing import Any

from t3d.errors import T3DError
from t3d.files import read_json

PLANS = Path(__file__).parent / "plans"
_EXTENDS = "extends"


def read_plan_file(path: str | Path, *, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The entries of a plan; those of the plan that it ``extends`` stand where it has none of its own.

    An entry is taken as a whole, such as all ``tasks``. The path of a datalist becomes absolute: it is relative to the
    file that names it.

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
    cohort = content.get("cohort")
    if isinstance(cohort, dict) and isinstance(cohort.get("datalist"), str):
        content["cohort"] = {**cohort, "datalist": str((file.parent / cohort["datalist"]).resolve())}
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
