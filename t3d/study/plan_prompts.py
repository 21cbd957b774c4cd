"""Prompts of a plan: their words decide a result, so they are part of the plan and not a path to it."""

from typing import Any

from t3d.errors import T3DError
from t3d.reports.prompts import read_prompts


def inline_prompts(tasks: dict[str, dict[str, Any]], faults: list[str]) -> dict[str, dict[str, Any]]:
    """Tasks whose ``prompts``, the name of a file, have become what the file says.

    Args:
        tasks: of the plan; paths are absolute.
        faults: what is wrong is added here.
    """
    asked = tasks.get("zero_shot", {}).get("prompts")
    if asked is None:
        return tasks
    if not isinstance(asked, str):
        faults.append(f"task zero_shot: prompts is {asked!r}; give the name of a file of prompts")
        return tasks
    try:
        pairs = read_prompts(asked)
    except T3DError as error:
        faults.append(f"task zero_shot: {str(error).rstrip('.')}")
        return tasks
    prompts = {name: {side: list(words) for side, words in pair._asdict().items()} for name, pair in pairs.items()}
    return {**tasks, "zero_shot": {**tasks["zero_shot"], "prompts": prompts}}
