"""A cohort of one's own: a CSV table with one row per volume."""

from collections.abc import Sequence
from pathlib import Path

from t3d.cohorts.collected import NOT_FOUND, Collected, folder_at
from t3d.cohorts.table import finding_states, known, read_table, shown
from t3d.errors import T3DError, raise_faults
from t3d.volume.file_kind import stem

LAYOUT = "a CSV table whose image column names files below --root"
_SPLITS = {
    **dict.fromkeys(("train", "training", "trn", "tr"), "training"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "tst", "ts"), "test"),
}


def collect(
    root: str | Path,
    *,
    table: str | None = None,
    image_column: str = "image",
    report_column: str | None = None,
    label_column: str | None = None,
    findings_columns: Sequence[str] | str | None = None,
    case_column: str | None = None,
    patient_column: str | None = None,
    split_column: str | None = None,
    delimiter: str | None = None,
    keep_without_report: bool = False,
) -> Collected:
    """Cases of a table.

    Args:
        root: folder that the paths of the table are relative to.
        table: the CSV file; None for the only .csv or .tsv file directly in ``root``.
        image_column, label_column: paths of the volume (or the folder of a DICOM series) and of the label file.
        report_column: text of the report.
        findings_columns: columns of 0, 1 and empty (unknown).
        case_column: distinct names; without it the image's file name.
        patient_column: without it each case is its own patient.
        split_column: train, val or test (or such like); without it, shares of the patients are held out.
        delimiter: between cells; None finds out.
        keep_without_report: take rows with an empty report too.

    Raises:
        T3DError: no table, a missing column, not UTF-8, a split or a finding that is none, a row without an image.
    """
    folder = folder_at(root)
    file = _table(folder, table)
    findings = [findings_columns] if isinstance(findings_columns, str) else list(findings_columns or ())
    findings = [name.strip() for part in findings for name in str(part).split(",")]
    columns = [image_column, report_column, label_column, case_column, patient_column, split_column, *findings]
    rows = read_table(file, [name for name in columns if name], delimiter=delimiter)
    collected = Collected(shares=(0.0, 0.0) if split_column else (0.1, 0.2))
    faults: list[str] = []
    for number, row in enumerate(rows, start=2):
        path = known(row[image_column])
        case = row[case_column] if case_column else stem(path)
        if not path or not case:
            faults.append(
                f"row {number}: has no {'image' if not path else case_column}; fill the cell or remove the row"
            )
            continue
        named = row[split_column] if split_column else "train"
        split = _SPLITS.get(named.lower())
        if split is None:
            # by its row: where a quote is lost, the cells of a row are pieces of another one's report
            faults.append(f"row {number}: {split_column} is {shown(named)}; use train, val or test")
            continue
        states = finding_states(row, findings, f"row {number}", faults) if findings else None
        report = known(row[report_column]) if report_column else ""
        if report_column and not report and not keep_without_report:
            collected.leave_out(case, "report is empty")
            continue
        label = known(row[label_column]) if label_column else ""
        collected.add(
            split,
            case,
            folder / Path(path).expanduser(),
            label=folder / Path(label).expanduser() if label else None,
            patient_id=(known(row[patient_column]) or case) if patient_column else None,
            report=report or None,
            findings=states,
        )
    raise_faults(faults, file.name)
    return collected


def _table(folder: Path, table: str | None) -> Path:
    if table is not None:
        given = Path(table).expanduser()
        return given if given.is_absolute() or given.is_file() else folder / given
    found = sorted(
        file for file in folder.iterdir() if file.suffix in (".csv", ".tsv") and not file.name.endswith(NOT_FOUND)
    )
    if len(found) != 1:
        names = ", ".join(file.name for file in found) or "none"
        raise T3DError(f"{folder} holds {len(found)} tables ({names}); name the one to read with --table")
    return found[0]
