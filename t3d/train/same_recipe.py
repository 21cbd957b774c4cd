"""Whether a checkpoint was trained with the settings of this run, and what to do about a difference."""

import logging
from collections.abc import Collection
from pathlib import Path
from typing import Any

from t3d.errors import T3DError

logger = logging.getLogger(__name__)

CHANGED = "changed_on_resume"
# name in checkpoints of 0.1 -> option whose value it is
_OLD_NAMES = {"encoder_sha256": "encoder_weights"}
# what older checkpoints do not name, because there was no choice; compared where this run has such an option
_OLD_VALUES = {"pooling": "attention", "stem_stride": 1, "sentence_task": "volumes", "head_statistics": "measured"}


def go_on_with(
    recipe: dict[str, Any], recorded: dict[str, Any], *, path: Path, epoch: int, allowed: Collection[str] = ()
) -> None:
    """Compare the recipe of a run with the recorded one; differences that are allowed are logged and put on record.

    Only what both know is compared: checkpoints of 0.1 recorded few options, later versions may have more.

    Args:
        recipe: of this run; ``changed_on_resume`` is added, a list of {option, from, to, after_epoch}, also of earlier
            sessions, where something was changed.
        recorded: of the checkpoint.
        path: the checkpoint, for messages.
        epoch: of the checkpoint.
        allowed: names that may differ.

    Raises:
        T3DError: other settings, which are named with both values; or ``allowed`` names something that is no option
            of the recipe.
    """
    unknown = sorted(set(allowed) - recipe.keys())
    if unknown:
        raise T3DError(
            f"--allow_changed names {', '.join(unknown)}, which this training has not or lets you change anyway; "
            f"it may name {', '.join(sorted(recipe))}"
        )
    before = _renamed(recorded)
    changes = [
        {"option": name, "from": before[name], "to": value, "after_epoch": epoch}
        for name, value in recipe.items()
        if name in before and before[name] != value
    ]
    refused = [change for change in changes if change["option"] not in allowed]
    if refused:
        names = [change["option"] for change in refused]
        raise T3DError(
            f"{path} was trained with other settings: {'; '.join(_words(change) for change in refused)}. Use those to "
            f'go on with it, allow the change with --allow_changed "{names}", or take another --ckpt_dir to start '
            "anew; nothing was changed"
        )
    for change in changes:
        logger.warning("going on from %s with another setting, as allowed: %s", path, _words(change))
    if changes or before.get(CHANGED):
        recipe[CHANGED] = [*before.get(CHANGED, []), *changes]


def _renamed(recorded: dict[str, Any]) -> dict[str, Any]:
    found = {**_OLD_VALUES, **{name: value for name, value in recorded.items() if name not in _OLD_NAMES}}
    for old, name in _OLD_NAMES.items():
        if old in recorded:
            found[name] = recorded[old] and f"sha256:{recorded[old]}"
    return found


def _words(change: dict[str, Any]) -> str:
    return f"{change['option']} {change['from']!r} there, {change['to']!r} now"
