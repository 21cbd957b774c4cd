"""The overview picture of a demonstration: phantoms, restorations, gauges, segmentations, ROC curves, losses."""

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.image import imread

from t3d.demo.results import STARTS

_PANELS = {
    "phantoms": ("the phantoms", "data/montage.png"),
    "restoration": ("T3D: clean / corrupted / restored (training)", "t3d/eval/restoration.png"),
    "gauges": ("T3D: gauges on held-out cases", "t3d/eval/gauges.png"),
    "segmentation": ("segmentation from T3D: image / truth / prediction", "segmentation_t3d/eval/segmentation.png"),
    "roc": ("classification from T3D", "classification_t3d/eval/roc.png"),
}
_CURVES = ("loss", "contrast", "restoration", "sentences", "alignment")


def draw(folder: Path) -> Figure:
    """Draw what the steps left; a panel whose step was not run stays empty and says so."""
    figure = Figure(figsize=(15, 19), layout="constrained")
    places = figure.subplot_mosaic(
        [["phantoms", "restoration"], ["gauges", "gauges"], ["segmentation", "roc"], ["pretrain", "fine_tune"]],
        height_ratios=[3, 1.6, 2.6, 1.4],
    )
    for name, (title, path) in _PANELS.items():
        axes = places[name]
        axes.set(title=title, xticks=[], yticks=[])
        if (folder / path).is_file():
            axes.imshow(imread(folder / path), cmap="gray")
        else:
            axes.text(0.5, 0.5, "not run", ha="center", transform=axes.transAxes)
    for start in ("t3d", "twin"):
        for name, (steps, values) in training_curves(folder / start / "eval" / "tensorboard").items():
            places["pretrain"].plot(steps, values, label=f"{STARTS[start]}: {name}", alpha=0.8)
    for start, label in STARTS.items():
        for name, (steps, values) in training_curves(
            folder / f"segmentation_{start}" / "eval" / "tensorboard"
        ).items():
            places["fine_tune"].plot(steps, values, label=f"{label}: {name}", alpha=0.8)
    places["pretrain"].set(title="pre-training", xlabel="iteration")
    places["fine_tune"].set(title="segmentation", xlabel="iteration")
    for name in ("pretrain", "fine_tune"):
        if places[name].lines:
            places[name].legend(fontsize="small")
    return figure


def training_curves(log_dir: Path) -> dict[str, tuple[list[int], list[float]]]:
    """Loss curves of a run's TensorBoard folder: name -> (iterations, values); none where there is no folder."""
    if not log_dir.is_dir():
        return {}
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(log_dir))
    events.Reload()
    curves = {}
    for tag in events.Tags()["scalars"]:
        if tag in _CURVES:
            points = events.Scalars(tag)
            curves[tag] = ([point.step for point in points], [point.value for point in points])
    return curves
