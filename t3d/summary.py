"""The page that a demonstration ends with."""

import json
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from matplotlib.image import imread

from t3d.atomic import write_atomically
from t3d.errors import T3DError

matplotlib.use("Agg")

CAVEAT = (
    "This is a demonstration on computer-made phantoms with a tiny network. It shows that the parts work together; "
    "its numbers say nothing about patients. Research software, not for clinical decisions."
)
_ROWS = (
    ("tic_accuracy", "contrast, top-1 (chance {tic_chance:.3f})"),
    ("tic_shortcut", "the same with noise as images (should be chance)"),
    ("text_gain_contrast", "gain of the right report, contrast"),
    ("text_gain_restoration", "gain of the right report, restoration"),
    ("restoration_error", "restored crop, L1"),
    ("corrupted_input_error", "corrupted crop, L1"),
)


def summary(demo_dir: str) -> None:
    """Write ``summary.md`` and ``summary.png`` from what a demonstration left in its folder.

    Args:
        demo_dir: holds ``data`` (phantoms), ``models``, ``eval`` and ``features``.

    Raises:
        T3DError: a step of the demonstration has not been run.
    """
    folder = Path(demo_dir)
    gauges_file = folder / "eval" / "gauges.json"
    if not gauges_file.is_file():
        raise T3DError(f"{gauges_file} is missing: run the evaluation first (make demo does all steps)")
    gauges = json.loads(gauges_file.read_text(encoding="utf-8"))
    record = json.loads((folder / "models" / "encoder.json").read_text(encoding="utf-8"))
    features = sorted(path.name for path in (folder / "features").glob("*.safetensors"))
    page = _page(gauges, record, features)
    figure = _picture(folder)
    write_atomically(
        {
            folder / "summary.png": lambda file: figure.savefig(file, format="png", dpi=110),
            folder / "summary.md": lambda file: file.write(page.encode()),
        }
    )


def _page(gauges: dict, record: dict, features: list[str]) -> str:
    lines = ["# What the demonstration made", "", CAVEAT, "", "![overview](summary.png)", "", "## Gauges", ""]
    lines += [f"{gauges['cases']} held-out cases, batches of {gauges['batch_size']}; 95 % intervals by patient.", ""]
    lines += ["| gauge | value | interval |", "|---|---|---|"]
    for name, text in _ROWS:
        if gauges[name] is not None:
            low, high = gauges[f"{name}_interval"]
            lines.append(f"| {text.format(**gauges)} | {gauges[name]:.4f} | {low:.4f} to {high:.4f} |")
    lines.append(f"| effective rank of {gauges['embedding_width']} | {gauges['effective_rank']:.1f} | |")
    lines += ["", *(f"- {sentence}" for sentence in gauges["verdict"]), "", "## Files", ""]
    lines += [
        f"- `models/encoder.safetensors` ({record['tensors']} tensors), loads into MONAI's SwinUNETR",
        "- `models/model.pt`, `models/model_best.pt`: the pre-training network",
        "- `eval/gauges.json`, `eval/tensorboard/`: numbers and curves",
        f"- `features/`: {len(features)} cases, one safetensors file each (`{features[0] if features else ''}` ..)",
    ]
    return "\n".join(lines) + "\n"


def _picture(folder: Path) -> Figure:
    panels = {
        "the phantoms": folder / "data" / "montage.png",
        "clean / corrupted / restored (training)": folder / "eval" / "restoration.png",
        "gauges on held-out cases": folder / "eval" / "gauges.png",
    }
    figure = Figure(figsize=(14, 13), layout="constrained")
    places = figure.subplot_mosaic([["a", "b"], ["c", "c"], ["d", "d"]], height_ratios=[3, 1.6, 1.3])
    for axes, (title, path) in zip((places["a"], places["b"], places["c"]), panels.items(), strict=True):
        axes.set(title=title, xticks=[], yticks=[])
        if path.is_file():
            axes.imshow(imread(path), cmap="gray")
    for name, (steps, values) in training_curves(folder / "eval" / "tensorboard").items():
        places["d"].plot(steps, values, label=name)
    places["d"].set(title="training", xlabel="iteration")
    places["d"].legend()
    return figure


def training_curves(log_dir: Path) -> dict[str, tuple[list[int], list[float]]]:
    """Loss curves of a run's TensorBoard folder: name -> (iterations, values)."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(log_dir))
    events.Reload()
    curves = {}
    for tag in events.Tags()["scalars"]:
        if tag in ("loss", "contrast", "restoration", "alignment"):
            points = events.Scalars(tag)
            curves[tag] = ([point.step for point in points], [point.value for point in points])
    return curves
