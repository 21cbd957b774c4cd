"""What an adapter collects: cases in lists, and everything it could not find."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from t3d.data.datalist_checks import duplicate_cases, shared_patients
from t3d.errors import T3DError, raise_faults
from t3d.volume.file_kind import exists, is_nifti, stem

# Published test cases whose answers the organisers keep: good for inference (--split unlabelled), not for scores
UNLABELLED = "unlabelled"
NOT_FOUND = "_not_found.csv"  # ending of the list beside the datalist


class NotFound(NamedTuple):
    """Something the cohort's own lists name and the disk has not, or the other way round."""

    case: str
    what: str
    kept: bool  # the case is in the datalist all the same


@dataclass
class Collected:
    """Cases of a cohort.

    Attributes:
        lists: split -> items with absolute paths, as in a datalist.
        not_found: what is missing or left out; nothing is skipped without an entry here.
        labels: class name -> value in the label files, or None.
        shares: shares of the training patients for a validation and a test list where the cohort has none.
        notes: sentences for the user about this cohort.
    """

    lists: dict[str, list[dict]] = field(
        default_factory=lambda: {"training": [], "validation": [], "test": [], UNLABELLED: []}
    )
    not_found: list[NotFound] = field(default_factory=list)
    labels: dict[str, int] | None = None
    shares: tuple[float, float] = (0.1, 0.0)
    notes: list[str] = field(default_factory=list)

    def leave_out(self, case: str, what: str) -> None:
        """Name a case that is not in the datalist, and why."""
        self.not_found.append(NotFound(case, what, kept=False))

    def add(self, split: str, case_id: str, image: Path | None, *, label: Path | None = None, **entries: Any) -> bool:
        """Take a case whose files are there; name it and the reason otherwise.

        Args:
            split: list it belongs to.
            case_id: distinct name.
            image: volume (a file, or a folder of a DICOM series), None where no file of that name was found.
            label: label file; it must be there when given.
            entries: more of the item, such as patient_id, report, findings; None values are left away.

        Returns:
            Whether it was taken.
        """
        for what, file in (("image", image), ("label", label)):
            fault = "is not there" if what == "image" and image is None else file and _fault(file)
            if fault:
                self.leave_out(case_id, f"{what} {'' if file is None else file.name + ' '}{fault}")
                return False
        item = {"case_id": case_id, "patient_id": case_id, "image": str(image)}
        if label is not None:
            item["label"] = str(label)
        self.lists[split].append({**item, **{key: value for key, value in entries.items() if value is not None}})
        return True

    def check(self, source: str, layout: str) -> None:
        """Refuse an empty cohort, duplicate case ids and patients in two lists.

        Args:
            source: folder, for messages.
            layout: what was looked for in it.

        Raises:
            T3DError: one of these.
        """
        if not any(self.lists.values()):
            more = f" ({len(self.not_found)} named there were left out, {_first(self)})" if self.not_found else ""
            raise T3DError(f"{source}: no case found{more}; expected {layout}. Correct --root")
        lists = {name: items for name, items in self.lists.items() if items}
        raise_faults(duplicate_cases(lists) + shared_patients(lists), source)


def folder_at(root: str | Path) -> Path:
    """The cohort's folder as an absolute path.

    Raises:
        T3DError: it is no folder, or an empty one.
    """
    folder = Path(root).expanduser().absolute()
    if not folder.is_dir():
        raise T3DError(f"--root {folder} is not a folder; give the folder the cohort was unpacked to")
    if not any(folder.iterdir()):
        raise T3DError(f"--root {folder} is empty; give the folder the cohort was unpacked to")
    return folder


def nifti_files(folder: Path) -> dict[str, list[Path]]:
    """File name -> places of it below a folder; the twins that macOS leaves ("._a.nii.gz") are not looked at.

    Names end as published, also those of files in capitals (``CT1.NII.GZ`` is found as ``CT1.nii.gz``).
    """
    found: dict[str, list[Path]] = {}
    if folder.is_dir():
        for file in sorted(folder.rglob("*")):
            if is_nifti(file) and not file.name.startswith("."):
                name = stem(file)
                found.setdefault(name + file.name[len(name) :].lower(), []).append(file)
    return found


def _fault(file: Path) -> str:
    if not exists(file):
        return "is not there"
    if file.is_file() and file.stat().st_size == 0:
        return "has 0 bytes"
    return ""


def _first(collected: Collected) -> str:
    entry = collected.not_found[0]
    return f"the first {entry.case}: {entry.what}"
