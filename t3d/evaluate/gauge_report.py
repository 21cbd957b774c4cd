"""Gauges on disk: ``gauges.json``, a figure and tables; and their verdict in the log."""

import logging
from pathlib import Path
from typing import NamedTuple

import ignite.distributed as idist
from ignite.engine import Engine, Events
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from t3d.atomic import write_atomically
from t3d.evaluate.metric_report import without_nan
from t3d.evaluate.region_gauges import region_table
from t3d.evaluate.sentence_gauges import kind_table
from t3d.evaluate.verdict import verdict
from t3d.files import json_bytes

logger = logging.getLogger(__name__)


class Panel(NamedTuple):
    """Gauges that belong side by side.

    Attributes:
        title: above the bars.
        names: gauge -> what stands below its bar.
        line: where a dashed line lies: at a gauge, or a number; None for none.
        share: whether the bars are shares of 1.
    """

    title: str
    names: dict[str, str]
    line: str | float | None = None
    share: bool = False

    def measured(self, gauges: dict) -> dict[str, str]:
        """Those of the gauges that this recipe has."""
        return {name: label for name, label in self.names.items() if gauges.get(name) is not None}


PANELS = (
    Panel(
        "contrast, top-1 (line: chance)",
        {"tic_accuracy": "images", "tic_shortcut": "noise", "tic_histogram": "histogram"},
        line="tic_chance",
        share=True,
    ),
    Panel(
        "sentences that find their volume",
        {"sentence_accuracy": "network", "sentence_chance": "chance"},
        share=True,
    ),
    Panel(
        "mean absolute error to the clean crop",
        {"corrupted_input_error": "corrupted", "restoration_error": "restored"},
    ),
    Panel(
        "right report against another one",
        {"text_gain_contrast": "contrast, nats", "text_gain_restoration": "restoration, L1"},
        line=0.0,
    ),
)


class GaugeReport:
    """Writes ``gauges.json`` and ``gauges.png`` when the evaluator has finished, and tables of what was measured.

    ``sentence_kinds.md`` where sentences were asked, ``restoration_regions.md`` where cases have labels.

    Args:
        output_dir: made if absent.
        settings: what was evaluated (seed, candidates, ..), stored with the numbers.
    """

    def __init__(self, *, output_dir: str, settings: dict) -> None:
        self.folder = Path(output_dir)
        self.settings = settings

    def attach(self, engine: Engine) -> None:
        """Attach to the evaluator, after ``Gauges``."""
        engine.add_event_handler(Events.COMPLETED, self.write)

    def write(self, engine: Engine) -> None:
        """Write the files on the first process."""
        if idist.get_rank() != 0:
            return
        gauges = engine.state.gauges
        sentences = [str(said) for said in verdict(gauges)]
        content = {**gauges, "verdict": sentences, "settings": self.settings}
        figure = draw(gauges)
        tables = {"sentence_kinds": kind_table, "restoration_regions": region_table}
        written = {name: table(gauges[name]) for name, table in tables.items() if gauges.get(name)}
        beside = {self.folder / f"{name}.md": ("\n".join(lines) + "\n").encode() for name, lines in written.items()}
        write_atomically(
            {
                **beside,
                self.folder / "gauges.png": lambda file: figure.savefig(file, format="png", dpi=120),
                self.folder / "gauges.json": json_bytes(without_nan(content)),
            }
        )
        for line in (line for lines in written.values() for line in lines):
            logger.info(line)
        for sentence in sentences:
            logger.info(sentence)
        logger.info("gauges written to %s", self.folder / "gauges.json")


class SayVerdict:
    """Says at the end of training what the gauges of the last validation mean."""

    def __init__(self, *, evaluator: Engine) -> None:
        self.evaluator = evaluator

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer."""
        engine.add_event_handler(Events.COMPLETED, self.say)

    def say(self, engine: Engine) -> None:
        """Log the verdict; problems as warnings."""
        gauges = getattr(self.evaluator.state, "gauges", None)
        if gauges is None or idist.get_rank() != 0:
            return
        for said in verdict(gauges):
            logger.log(logging.WARNING if said.trouble else logging.INFO, str(said))


def draw(gauges: dict) -> Figure:
    """A panel for each task that was measured: contrast, sentences, restoration, and what the right report gains."""
    shown = [(panel, names) for panel in PANELS if (names := panel.measured(gauges))]
    figure = Figure(figsize=(3.4 * max(1, len(shown)), 3.4), layout="constrained")
    for axes, (panel, names) in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        _bars(axes, gauges, names)
        if panel.line is not None:
            level = gauges[panel.line] if isinstance(panel.line, str) else panel.line
            axes.axhline(level, color="black", linestyle="--", linewidth=0.8)
        axes.set(title=panel.title, ylim=(0, 1) if panel.share else None)
    figure.suptitle(f"{gauges['cases']} held-out cases, batches of {gauges['batch_size']}; bars: 95 % intervals")
    return figure


def _bars(axes: Axes, gauges: dict, names: dict[str, str]) -> None:
    for place, name in enumerate(names):
        value = gauges[name]
        low, high = gauges[f"{name}_interval"]
        axes.bar(place, value, yerr=[[max(0, value - low)], [max(0, high - value)]], capsize=5)
        axes.text(place, max(value, high, 0), f"{value:.3g}", ha="center", va="bottom")
    axes.set_xticks(range(len(names)), list(names.values()))
    axes.margins(y=0.12)  # room for the numbers above the highest bar
