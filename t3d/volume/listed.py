"""Whether a datalist is one of the prepared store, and whether its grid is the one that training wants."""

from collections.abc import Sequence
from pathlib import Path

from t3d.errors import T3DError
from t3d.files import read_json

# Millimetres; configs and lists hold the same decimal numbers.
_TOLERANCE = 1e-6


def is_prepared(
    datalist_file: str | Path, *, spacing: Sequence[float] | None = None, orientation: str | None = None
) -> bool:
    """Whether ``t3d prepare`` wrote a datalist; a missing or broken file is left to ``load_datalist``.

    Args:
        datalist_file: any datalist.
        spacing, orientation: what the configuration asks for; None is not compared.

    Raises:
        T3DError: prepared for another spacing or orientation, or it does not say for which.
    """
    try:
        file = Path(datalist_file).expanduser()
        about = read_json(file, what="datalist", remedy="correct it").get("prepared")
    except T3DError:
        return False
    if not isinstance(about, dict):
        return False
    sides, axes = about.get("spacing"), about.get("orientation")
    if not isinstance(axes, str) or not isinstance(sides, list) or [type(side) for side in sides] != [float] * 3:
        raise T3DError(
            f'{file.name}: its entry "prepared" does not say the spacing and orientation that `t3d prepare` writes '
            "there; prepare the cohort again, or remove the entry from a raw datalist"
        )
    check_grid(file.name, sides, axes, spacing, orientation)
    return True


def check_grid(
    who: str,
    found_spacing: Sequence[float],
    found_orientation: str,
    spacing: Sequence[float] | float | None,
    orientation: str | None,
) -> None:
    """Refuse what was prepared for another grid: resampling a second time would blur it unnoticed.

    Raises:
        T3DError: names both values.
    """
    if orientation is not None and found_orientation != orientation:
        raise T3DError(
            f"{who} was prepared in orientation {found_orientation}, and the configuration asks for {orientation}; "
            f"set --orientation {found_orientation}, or use the raw datalist"
        )
    if spacing is None:
        return
    wanted = [float(side) for side in spacing] if isinstance(spacing, Sequence) else [float(spacing)] * 3
    if len(wanted) != 3 or any(abs(a - b) > _TOLERANCE for a, b in zip(found_spacing, wanted, strict=True)):
        raise T3DError(
            f"{who} was prepared with spacing {list(found_spacing)} mm, and the configuration asks for {wanted} mm; "
            f"set --spacing '{list(found_spacing)}', or run `t3d prepare` with --spacing {','.join(map(str, wanted))}"
        )
