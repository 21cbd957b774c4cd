"""summary.md and summary.png of a demonstration."""

from pathlib import Path

from t3d.atomic import write_atomically
from t3d.demo.pictures import draw
from t3d.demo.results import STAGES, STARTS, Results, read_results

CAVEAT = (
    "This is a demonstration on computer-made phantoms with tiny networks, a few minutes of training and one seed. It "
    "shows that the parts work together; its numbers say nothing about patients, and little about which start is "
    "better. Research software, not for clinical decisions."
)
_GAUGES = (
    ("tic_accuracy", "contrast, top-1 (chance {tic_chance:.3f})"),
    ("tic_shortcut", "the same with noise as images (should be chance)"),
    ("sentence_accuracy", "held-out sentences that find their volume"),
    ("sentence_chance", "the same by guessing"),
    ("text_gain_contrast", "gain of the right report, contrast (nats)"),
    ("text_gain_restoration", "gain of the right report, restoration"),
    ("restoration_error", "restored crop, L1"),
    ("corrupted_input_error", "corrupted crop, L1"),
)


def summary(demo_dir: str) -> None:
    """Write ``summary.md`` and ``summary.png`` from what a demonstration left in its folder.

    Args:
        demo_dir: holds ``data`` (phantoms), ``t3d``, ``twin``, ``features``, ``segmentation_START`` and
            ``classification_START``; what of the last two is absent is left out of the page.

    Raises:
        T3DError: see ``read_results``.
    """
    folder = Path(demo_dir)
    results = read_results(folder)
    page = "\n".join([*_head(), *_gauges(results), *_downstream(results), *_files(results)]) + "\n"
    figure = draw(folder)
    write_atomically(
        {
            folder / "summary.png": lambda file: figure.savefig(file, format="png", dpi=110),
            folder / "summary.md": lambda file: file.write(page.encode()),
        }
    )


def _head() -> list[str]:
    return ["# What the demonstration made", "", CAVEAT, "", "![overview](summary.png)", ""]


def _gauges(results: Results) -> list[str]:
    first = results.gauges["t3d"]
    columns = [STARTS[start] for start in results.gauges]
    lines = ["## Pre-training", ""]
    lines += [f"{first['cases']} held-out cases, batches of {first['batch_size']}; 95 % intervals by patient.", ""]
    lines += [f"| gauge | {' | '.join(columns)} |", "|" + "---|" * (1 + len(columns))]
    for name, text in _GAUGES:
        if all(gauges.get(name) is None for gauges in results.gauges.values()):
            continue
        cells = [
            _number(
                gauges.get(name), gauges.get(f"{name}_interval"), digits=4 if "L1" in text or "rest" in name else 3
            )
            for gauges in results.gauges.values()
        ]
        lines.append(f"| {text.format(**first)} | {' | '.join(cells)} |")
    ranks = [f"{gauges['effective_rank']:.1f}" for gauges in results.gauges.values()]
    lines += [f"| effective rank of {first['embedding_width']} | {' | '.join(ranks)} |", ""]
    lines += [*(f"- T3D: {sentence}" for sentence in first["verdict"]), ""]
    return lines


def _downstream(results: Results) -> list[str]:
    if not results.metrics:
        return []
    lines = ["## Segmentation and classification with few labels", ""]
    lines += [f"| task | labelled cases | {' | '.join(STARTS.values())} |", "|" + "---|" * (2 + len(STARTS))]
    for stage, metric in STAGES.items():
        cells = []
        for start in STARTS:
            found = results.metrics.get((stage, start))
            cells.append("not run" if found is None else _mean(found["mean"][metric]))
        labels = results.labels.get(stage)
        share = "all" if not labels or "cases" not in labels else f"{len(labels['cases'])} of {labels['of']['cases']}"
        name = {"dice": "Dice", "auroc": "AUROC"}[metric]
        lines.append(f"| {stage}, mean {name} | {share} | {' | '.join(cells)} |")
    lines += [
        "",
        "Held-out cases, 95 % intervals by patient. Cases, steps and seed are the same for the three starts.",
        "",
    ]
    for stage, metric in STAGES.items():
        lines += _parts(results, stage, metric)
    return lines


def _parts(results: Results, stage: str, metric: str) -> list[str]:
    """One row per class or finding."""
    found = {start: results.metrics[stage, start] for start in STARTS if (stage, start) in results.metrics}
    if not found:
        return []
    part = "classes" if stage == "segmentation" else "findings"
    columns = [STARTS[start] for start in found]
    lines = [f"| {stage} | {' | '.join(columns)} |", "|" + "---|" * (1 + len(columns))]
    for name in next(iter(found.values()))[part]:
        cells = [_mean(metrics[part][name][metric]) for metrics in found.values()]
        lines.append(f"| {name.replace('_', ' ')} | {' | '.join(cells)} |")
    return [*lines, ""]


def _files(results: Results) -> list[str]:
    first = results.features[0] if results.features else ""
    return [
        "## Files",
        "",
        f"- `t3d/models/encoder.safetensors` ({results.record['tensors']} tensors), loads into MONAI's SwinUNETR",
        "- `t3d/eval/`, `twin/eval/`: gauges, pictures, TensorBoard curves of pre-training",
        f"- `features/`: {len(results.features)} cases, one safetensors file each (`{first}` ..)",
        "- `segmentation_*/eval/`, `classification_*/eval/`: `metrics.json`, `metrics.csv`, figures",
    ]


def _mean(entry: dict) -> str:
    return _number(entry.get("value", entry.get("mean")), entry["interval"])


def _number(value: float | None, interval: list | None, *, digits: int = 3) -> str:
    if value is None:
        return "-"
    span = "" if interval is None else f" ({interval[0]:.{digits}f} to {interval[1]:.{digits}f})"
    return f"{value:.{digits}f}{span}"
