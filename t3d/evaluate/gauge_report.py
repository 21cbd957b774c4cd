"""Gauges on disk: ``gauges.json`` and a figure; and their verdict in the log."""

import logging
from pathlib import Path

import ignite.distributed as idist
from ignite.engine import Engine, Events
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from t3d.atomic import write_atomically
from t3d.evaluate.metric_report import without_nan
from t3d.evaluate.verdict import verdict
from t3d.files import json_bytes

logger = logging.getLogger(__name__)


class GaugeReport:
    """Writes ``gauges.json`` and ``gauges.png`` when the evaluator has finished.

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
        """Write both files on the first process."""
        if idist.get_rank() != 0:
            return
        gauges = engine.state.gauges
        sentences = [str(said) for said in verdict(gauges)]
        content = {**gauges, "verdict": sentences, "settings": self.settings}
        figure = draw(gauges)
        write_atomically(
            {
                self.folder / "gauges.png": lambda file: figure.savefig(file, format="png", dpi=120),
                self.folder / "gauges.json": json_bytes(without_nan(content)),
            }
        )
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
    """Three panels: contrast against chance, restoration against its input, gains of the right report."""
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    contrast, restoration, gains = figure.subplots(1, 3)
    _bars(contrast, gauges, {"tic_accuracy": "real images", "tic_shortcut": "noise as images"})
    contrast.axhline(gauges["tic_chance"], color="black", linestyle="--", label="chance")
    contrast.legend()
    contrast.set(title="contrast, top-1", ylim=(0, 1))
    _bars(restoration, gauges, {"corrupted_input_error": "corrupted", "restoration_error": "restored"})
    restoration.set(title="mean absolute error to the clean crop")
    if gauges["text_gain_contrast"] is not None:
        _bars(gains, gauges, {"text_gain_contrast": "contrast, top-1", "text_gain_restoration": "restoration, L1"})
    gains.axhline(0, color="black", linewidth=0.8)
    gains.set(title="right report minus another one")
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
