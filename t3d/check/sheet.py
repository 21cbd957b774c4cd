"""Contact sheets of a cohort: one slice per case, some dozens on a page."""

import io
import re
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from t3d.atomic import write_atomically
from t3d.check.slice import Picture
from t3d.files import refuse_existing

ROWS, COLUMNS = 6, 8
_PAGE = re.compile(r"check_\d+\.png")


class Sheet:
    """Writes ``check_001.png``, ``check_002.png`` .. while cases are added; holds one page.

    Args:
        folder: for the pages.
        overwrite: replace pages that are there.

    Raises:
        T3DError: pages are there and overwriting was not asked for.
    """

    def __init__(self, folder: Path, *, overwrite: bool = False) -> None:
        there = [file for file in folder.iterdir() if _PAGE.fullmatch(file.name)] if folder.is_dir() else []
        refuse_existing(sorted(there), overwrite=overwrite, option="--sheet")
        for file in there:
            file.unlink()
        self.folder, self.pages = folder, 0
        self.held: list[tuple[str, Picture | None, bool]] = []

    def add(self, case_id: str, picture: Picture | None, *, faulty: bool) -> None:
        """Show a case; one that could not be read has an empty field."""
        self.held.append((case_id, picture, faulty))
        if len(self.held) == ROWS * COLUMNS:
            self.close()

    def close(self) -> None:
        """Write what is held."""
        if not self.held:
            return
        self.pages += 1
        rows = -(-len(self.held) // COLUMNS)
        figure = Figure(figsize=(1.6 * COLUMNS, 1.75 * rows), facecolor="black")
        FigureCanvasAgg(figure)
        places = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
        for axes in places:
            axes.set_axis_off()
        for axes, (case_id, picture, faulty) in zip(places, self.held, strict=False):
            colour = "#ff5050" if faulty else "0.75"
            axes.set_title(case_id if len(case_id) <= 24 else f"{case_id[:22]}..", color=colour, fontsize=6, pad=2)
            if picture is None:
                axes.text(0.5, 0.5, "no slice", color=colour, fontsize=7, ha="center", transform=axes.transAxes)
            else:
                axes.imshow(picture.pixels, cmap="gray", vmin=0, vmax=255, aspect=picture.aspect)
        figure.subplots_adjust(left=0.01, right=0.99, bottom=0.01, top=1 - 0.16 / rows, wspace=0.04, hspace=0.16)
        target = io.BytesIO()
        figure.savefig(target, format="png", dpi=100, facecolor="black", metadata={"Software": None})
        write_atomically({self.folder / f"check_{self.pages:03d}.png": target.getvalue()})
        self.held = []
