"""The first line of every run of a bundle."""

import sys
from types import FrameType
from typing import Any

from t3d.bundle.console import plain_errors
from t3d.bundle.options import cut_faults, value_faults
from t3d.bundle.unread import unread_faults
from t3d.errors import T3DError, raise_faults


def begin() -> None:
    """Let faults end the run as one sentence, and refuse options before anything is read, made or trained.

    Looks at the configuration that is being run, with all overlays and overrides; see `value_faults` and
    `unread_faults`. Nothing of it is evaluated for that. Outside of a workflow of MONAI there is nothing to look at.

    Raises:
        T3DError: an option that nothing reads, or whose value is not of its kind.
    """
    plain_errors()
    workflow = running_workflow()
    if workflow is None:
        return
    config = workflow.parser.get()
    lists = {workflow.init_id, workflow.run_id, workflow.final_id}
    faults = unread_faults(config, workflow.config_root_path, lists) + (cut_faults(sys.argv) or value_faults(config))
    if len(faults) == 1:
        raise T3DError(faults[0])
    raise_faults(faults, "options")


def running_workflow() -> Any | None:
    """MONAI's ConfigWorkflow that runs the caller, found by its frame, as `bundle_root` finds it; None without one."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        found = frame.f_locals.get("self")
        if "ConfigWorkflow" in (kind.__name__ for kind in type(found).__mro__):
            return found
        frame = frame.f_back
    return None
