"""What the steps of a demonstration left behind, read back."""

from dataclasses import dataclass, field
from pathlib import Path

from t3d.errors import T3DError
from t3d.files import read_json

STARTS = {
    "t3d": "T3D",
    "shuffled": "with other patients' reports",
    "twin": "vision-only twin",
    "scratch": "from scratch",
}
STAGES = {"segmentation": "dice", "classification": "auroc"}


@dataclass
class Results:
    """Numbers of one demonstration.

    Attributes:
        gauges: ``t3d`` and ``twin`` -> content of their gauges.json.
        record: encoder.json of T3D.
        features: names of the feature files.
        metrics: (stage, start) -> content of metrics.json; stages that were not run are absent.
        labels: (stage) -> content of label_fraction.json, what all starts of a stage learnt from.
        zero_shot: name of a start -> content of the metrics.json of its zero-shot scores, of those that were run.
    """

    gauges: dict[str, dict]
    record: dict
    features: list[str]
    metrics: dict[tuple[str, str], dict] = field(default_factory=dict)
    labels: dict[str, dict] = field(default_factory=dict)
    zero_shot: dict[str, dict] = field(default_factory=dict)

    def of_stage(self, stage: str) -> dict[str, dict]:
        """Name of a start -> content of its metrics.json, of those that were run; T3D is the first."""
        return {name: self.metrics[stage, start] for start, name in STARTS.items() if (stage, start) in self.metrics}


def read_results(folder: Path) -> Results:
    """Read everything that is there.

    Raises:
        T3DError: T3D was not pre-trained and evaluated, or the starts of a stage learnt from different labels.
    """
    gauges_file = folder / "t3d" / "eval" / "gauges.json"
    if not gauges_file.is_file():
        raise T3DError(f"{gauges_file} is missing: run the evaluation first (make demo does all steps)")
    gauges = {}
    for start in ("t3d", "twin"):
        file = folder / start / "eval" / "gauges.json"
        if file.is_file():
            gauges[start] = _read(file)
    results = Results(
        gauges=gauges,
        record=_read(folder / "t3d" / "models" / "encoder.json"),
        features=sorted(path.name for path in (folder / "features").glob("*.safetensors")),
    )
    for start, name in STARTS.items():
        file = folder / f"zero_shot_{start}" / "metrics.json"
        if file.is_file():
            results.zero_shot[name] = _read(file)
    for stage in STAGES:
        for start in STARTS:
            place = folder / f"{stage}_{start}"
            if (place / "eval" / "metrics.json").is_file():
                results.metrics[stage, start] = _read(place / "eval" / "metrics.json")
                _same_labels(results, stage, place)
    return results


def _same_labels(results: Results, stage: str, place: Path) -> None:
    file = place / "models" / "label_fraction.json"
    if not file.is_file():
        return
    labels = _read(file)
    if results.labels.setdefault(stage, labels) != labels:
        raise T3DError(
            f"{place} learnt from other labels than the {stage} before it, so they cannot be compared: delete the "
            f"folders {stage}_* and run make demo again"
        )


def _read(file: Path) -> dict:
    return read_json(file, what="result of the demonstration", remedy="delete its folder and run make demo again")
