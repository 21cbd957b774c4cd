"""The page of an evaluation: its numbers, its pictures, and some of its cases to scroll through."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine, Events

from t3d.atomic import write_atomically
from t3d.errors import T3DError
from t3d.evaluate.shown_results import Shown, shown_results
from t3d.page.case import ViewerCase
from t3d.page.choose import evenly, spread
from t3d.page.html import as_html
from t3d.page.parts import Paragraph, Part, Viewer
from t3d.page.read_case import MapFile, largest_value, read_case
from t3d.page.results import class_facts, finding_facts, plain
from t3d.volume.label_table import BACKGROUND, class_values

logger = logging.getLogger(__name__)

FILE = "page.html"
CAVEAT = (
    "Research software, not for clinical decisions. This file holds images of patients: it is as private as they are. "
    "Cases are named by their place in the list."
)


class ResultPage:
    """Handler: when the evaluator has finished, writes ``page.html``, which needs nothing beside it.

    It holds the numbers and pictures that lie in the output folder, and a viewer with CT, the labels, the predictions
    and, where ``inference.json`` left them there or in ``features/``, the maps of attention and text. No report and no
    name of a patient gets into it. What cannot be shown is said, and ends no evaluation.

    Attach after the handlers that write the numbers.

    Args:
        output_dir: of the evaluation.
        items: its cases, with ``case_id``, ``image`` and, where there is one, the path of a label map under
            ``label_file`` or ``label``.
        cases: how many to show: of a segmentation from the worst to the best Dice, else evenly from the list; 0 for
            none.
        labels: the label table, name -> value or values; None names classes by their values.
    """

    def __init__(
        self,
        *,
        output_dir: str | Path,
        items: Sequence[Mapping[str, Any]],
        cases: int = 3,
        labels: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder = Path(output_dir)
        self.items = items
        self.cases = cases
        named = {} if labels is None else class_values(labels)
        self.classes = None if labels is None else {name: named[name] for name in named if name != BACKGROUND}

    def attach(self, engine: Engine) -> None:
        """Attach to the evaluator."""
        engine.add_event_handler(Events.COMPLETED, self.write)

    def write(self, engine: Engine) -> None:
        """Write the page on the first process; nothing where no case could be measured."""
        if idist.get_rank() != 0:
            return
        shown = shown_results(self.folder)
        if shown is None:
            return
        parts = [Paragraph(CAVEAT), *self._viewer(shown), *shown.parts]
        file = self.folder / FILE
        write_atomically({file: as_html(shown.title, parts).encode()})
        logger.info("page written to %s", file)

    def _viewer(self, shown: Shown) -> list[Part]:
        cases, failed = [], 0
        for place, measured in self._chosen(shown):
            try:
                cases.append(self._case(place, measured, shown))
            except T3DError as error:
                failed += 1
                logger.warning("%s does not show a case: %s", FILE, error)
        parts: list[Part] = []
        if cases:
            most = largest_value(cases)
            names = [f"value {value + 1}" for value in range(most)] if self.classes is None else list(self.classes)
            parts.append(Viewer(cases, names))
        if failed:
            parts.append(Paragraph(f"Cases that could not be shown: {failed}; the log of the run says why."))
        return parts

    def _chosen(self, shown: Shown) -> list[tuple[int, Mapping[str, Any]]]:
        """Places in the list, and what was measured of each."""
        places = {str(item["case_id"]): place for place, item in enumerate(self.items)}
        if not shown.per_case:
            return [(place, {}) for place in evenly(range(len(self.items)), self.cases)]
        known = [case for case in shown.per_case if str(case["case_id"]) in places]
        chosen = spread(known, self.cases) if "classes" in known[0] else evenly(known, self.cases)
        return [(places[str(case["case_id"])], case) for case in chosen]

    def _case(self, place: int, measured: Mapping[str, Any], shown: Shown) -> ViewerCase:
        item = self.items[place]
        case = str(item["case_id"])
        truth = item.get("label_file", item.get("label"))
        labels = {"truth": truth} if isinstance(truth, str | Path) else {}
        prediction = self.folder / f"{case}_pred.nii.gz"
        facts = None
        if "classes" in measured:
            facts = class_facts(measured)
            labels |= {"prediction": prediction} if prediction.is_file() else {}
        elif "scores" in measured:
            facts = finding_facts(measured)
        return read_case(
            f"{place + 1} of {len(self.items)}",
            item["image"],
            labels=labels,
            maps=self._maps(case, shown.findings),
            classes=self.classes,
            facts=facts,
        )

    def _maps(self, case: str, findings: Sequence[str]) -> dict[str, MapFile]:
        attention = self.folder / f"{case}_attention.nii.gz"
        if findings and attention.is_file():
            return {f"attention, {plain(name)}": MapFile(attention, place) for place, name in enumerate(findings)}
        texts = [folder / f"{case}_text.nii.gz" for folder in (self.folder, self.folder / "features")]
        text = next((file for file in texts if file.is_file()), None)
        return {} if text is None else {"text map": MapFile(text)}
