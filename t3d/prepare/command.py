"""The command `t3d prepare`."""

from pathlib import Path
from typing import Any

from t3d.errors import T3DError
from t3d.flag import flag


def prepare(
    datalist: str,
    *,
    out_dir: str,
    spacing: str | float | tuple[float, ...] = (0.75, 0.75, 1.5),
    lesion_values: str | int | tuple[int, ...] = (),
    seed: int = 0,
    workers: int = 1,
    scheduler: str | None = None,
    overwrite: bool = False,
    verify: bool = False,
    allow_no_hu: bool = False,
) -> None:
    """Bring every volume of a cohort to RAS, one spacing and int16 HU, once, so that training reads only its crops.

    The folder gets a datalist.json that the bundles take in place of the raw one. Run the same command again after a
    break, or when cases were added or changed: only what is new is done. Exit status 1 when a case failed.

    Args:
        datalist: the cohort's datalist.json.
        out_dir: folder of the prepared cohort; new, empty, or of this very cohort.
        spacing: millimetres along right, anterior and superior, such as 0.75,0.75,1.5, as in the training's config.
        lesion_values: label values whose lesions are indexed one by one, such as 2,3, for crops centred on them.
        seed: key of the positions in the index.
        workers: processes side by side.
        scheduler: address of a running Dask scheduler, such as tcp://host:8786, to use its workers instead.
        overwrite: make the cases of a folder with other settings anew.
        verify: compare the stored files with their checksums, and make damaged ones anew.
        allow_no_hu: take volumes whose values are surely no HU, such as MR.
    """
    from t3d.prepare.cohort import prepare_cohort

    sides = _numbers("spacing", spacing, float)
    sides = sides * 3 if len(sides) == 1 else sides
    if len(sides) != 3 or not all(0 < side < 100 for side in sides):
        raise T3DError(f"--spacing is {spacing!r}; give three numbers of millimetres above 0, such as 0.75,0.75,1.5")
    outcome = prepare_cohort(
        Path(str(datalist)),
        Path(str(out_dir)),
        spacing=tuple(sides),
        lesion_values=tuple(_numbers("lesion_values", lesion_values, int)),
        seed=_numbers("seed", seed, int)[0],
        workers=_numbers("workers", workers, int)[0],
        scheduler=None if scheduler is None else str(scheduler),
        overwrite=flag("overwrite", overwrite),
        verify=flag("verify", verify),
        allow_no_hu=flag("allow_no_hu", allow_no_hu),
    )
    if outcome.failed:
        raise T3DError(f"{len(outcome.failed)} cases failed; the others are prepared. Mend them and run again.")


def _numbers(name: str, value: Any, kind: type) -> list:
    parts = value.replace(" ", "").strip("[]()").split(",") if isinstance(value, str) else value
    parts = parts if isinstance(parts, list | tuple) else [parts]
    try:
        return [kind(str(part)) for part in parts if part != ""]
    except ValueError:
        wanted = "whole numbers" if kind is int else "numbers"
        raise T3DError(f"--{name} is {value!r}; give {wanted}.") from None
