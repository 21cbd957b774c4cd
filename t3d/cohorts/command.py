"""The command `t3d cohort NAME`: the datalist of a published cohort, or of a table of one's own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from t3d.errors import T3DError
from t3d.flag import flag


def cohort(
    name: str,
    *,
    root: str,
    out: str,
    validation_share: float | None = None,
    test_share: float | None = None,
    seed: int = 0,
    overwrite: bool = False,
    keep_without_report: bool | None = None,
    one_per_scan: bool | None = None,
    convert_dir: str | None = None,
    table: str | None = None,
    image_column: str | None = None,
    report_column: str | None = None,
    label_column: str | None = None,
    findings_columns: str | Sequence[str] | None = None,
    case_column: str | None = None,
    patient_column: str | None = None,
    split_column: str | None = None,
    delimiter: str | None = None,
) -> None:
    """Write the datalist of a cohort that is on disk: ct_rate, bimcv_r, rad_chestct, msd, btcv, amos, or csv.

    Nothing is downloaded and no volume is changed. What the cohort's lists name and the disk has not is named, and
    written in full to OUT_not_found.csv. See docs/cohorts.md.

    Args:
        name: of the cohort.
        root: folder the cohort was unpacked to.
        out: the datalist to write, such as datalist.json.
        validation_share: share of the training patients for a validation list, where the cohort has none.
        test_share: the same for a test list.
        seed: of these choices.
        overwrite: replace the files that are there.
        keep_without_report: (ct_rate, bimcv_r, csv) take cases with an empty report too.
        one_per_scan: (ct_rate) take one reconstruction of each scan.
        convert_dir: (rad_chestct) folder for NIfTI files made of the NumPy volumes.
        table: (csv) the table; without it the only one in root.
        image_column: (csv) paths of the volumes, relative to root; "image" if not given.
        report_column: (csv) reports.
        label_column: (csv) paths of label files.
        findings_columns: (csv) findings, such as effusion,nodule.
        case_column: (csv) names of the cases.
        patient_column: (csv) patients.
        split_column: (csv) train, val or test.
        delimiter: (csv) between cells.
    """
    given = {
        "keep_without_report": None
        if keep_without_report is None
        else flag("keep_without_report", keep_without_report),
        "one_per_scan": None if one_per_scan is None else flag("one_per_scan", one_per_scan),
        "convert_dir": convert_dir,
        "table": table,
        "image_column": image_column,
        "report_column": report_column,
        "label_column": label_column,
        "findings_columns": findings_columns.split(",") if isinstance(findings_columns, str) else findings_columns,
        "case_column": case_column,
        "patient_column": patient_column,
        "split_column": split_column,
        "delimiter": delimiter,
    }
    write_datalist(
        str(name),
        root=str(root),
        out=str(out),
        shares=(validation_share, test_share),
        seed=seed,
        overwrite=flag("overwrite", overwrite),
        options={key: value for key, value in given.items() if value is not None},
    )


def write_datalist(
    name: str,
    *,
    root: str,
    out: str,
    shares: tuple[float | None, float | None] = (None, None),
    seed: int = 0,
    overwrite: bool = False,
    options: dict[str, Any] | None = None,
) -> None:
    """As ``cohort``, with the adapter's own options in a dict.

    Raises:
        T3DError: an unknown cohort, an option of another one, a share for a list the cohort has, and what the
            adapter finds.
    """
    from t3d.cohorts.collect import collect_cohort, find_adapter
    from t3d.cohorts.hold_out import hold_out
    from t3d.cohorts.write import say_cohort, write_cohort
    from t3d.files import refuse_existing

    key, _ = find_adapter(name)
    target = Path(out).expanduser().absolute()
    if target.suffix != ".json":
        raise T3DError(f"--out {out} is not a .json file; the datalist is one, such as datalist.json")
    refuse_existing(target, overwrite=overwrite, option="--out")
    collected = collect_cohort(name, root, options)
    # the test list first, so that a validation list is never taken from it
    for split, given, default in zip(("test", "validation"), shares[::-1], collected.shares[::-1], strict=True):
        if collected.lists[split]:
            if given:
                raise T3DError(
                    f"{key} has its own {split} list of {len(collected.lists[split])} cases; leave out --{split}_share"
                )
            continue
        share = default if given is None else given
        collected.lists["training"], collected.lists[split] = hold_out(
            collected.lists["training"], share=share, seed=seed, name=split
        )
    say_cohort(collected, write_cohort(collected, target, overwrite=overwrite))
