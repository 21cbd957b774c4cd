"""One thing to say about a case or a cohort."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from t3d.errors import T3DError


@dataclass(frozen=True)
class Remark:
    """A fault, or what deserves a look.

    Attributes:
        kind: what it is about, in a word or two: "image", "grid", "label", "not HU", "report" ..
        what: what was found and the remedy. It never quotes a report, a patient or a path.
        case_id: of the case, or None where it is about the list.
        split: the list it is in, or None.
        fault: whether it has to be mended; else a warning.
    """

    kind: str
    what: str
    case_id: str | None = None
    split: str | None = None
    fault: bool = True

    def __str__(self) -> str:
        """One line."""
        return f"{self.kind}: {f'case {self.case_id}: ' if self.case_id is not None else ''}{self.what}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def without_names(error: Exception, path: Path) -> str:
    """What an error says of a file or folder, without its path and name, which may name a patient."""
    if isinstance(error, MemoryError):
        return "does not fit into memory; copy or export it again"
    message = error.said if isinstance(error, T3DError) else str(error)
    # what a library said may quote the path
    message = message.replace(str(path), "the file")
    if path.parent.name and path.is_absolute():
        message = message.replace(str(path.parent), "its folder")
    return message.replace(path.name, "the file").rstrip(".")
