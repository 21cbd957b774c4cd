"""summary.md, summary.html and summary.png of a demonstration."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from t3d.atomic import write_atomically
from t3d.demo.differences import difference
from t3d.demo.pictures import draw
from t3d.demo.results import STAGES, STARTS, Results, read_results
from t3d.demo.shown_cases import shown_cases
from t3d.networks.encoders import find_backbone
from t3d.page.html import as_html
from t3d.page.markdown import as_markdown
from t3d.page.parts import Bullets, Heading, Paragraph, Part, Picture
from t3d.page.results import gauge_table, measured, number, part_table
from t3d.page.table import Table

TITLE = "What the demonstration made"

CAVEAT = (
    "This is a demonstration on computer-made phantoms with a small network, minutes of training and one seed; the "
    "findings are few and large. It shows that the parts work together; its numbers say nothing about patients. "
    "Research software, not for clinical decisions."
)


def summary(demo_dir: str) -> None:
    """Write ``summary.md``, ``summary.html`` and ``summary.png`` from what a demonstration left in its folder.

    Args:
        demo_dir: holds ``data`` (phantoms), ``t3d``, ``twin``, ``features``, ``segmentation_START``,
            ``classification_START`` and ``zero_shot_START``; what of the last three is absent is left out of the page.

    Raises:
        T3DError: see ``read_results`` and ``shown_cases``.
    """
    folder = Path(demo_dir)
    results = read_results(folder)
    stream = io.BytesIO()
    draw(folder).savefig(stream, format="png", dpi=110)
    overview = Picture("overview", "summary.png", stream.getvalue())
    numbers = [*_gauges(results), *_zero_shot(results), *_downstream(results), *_files(results)]
    parts = [Paragraph(CAVEAT), *_cases(folder, results), overview, *numbers]
    write_atomically(
        {
            folder / overview.file: overview.png,
            folder / "summary.md": as_markdown(TITLE, parts).encode(),
            folder / "summary.html": as_html(TITLE, parts).encode(),
        }
    )


def _cases(folder: Path, results: Results) -> list[Part]:
    viewer = shown_cases(folder, results)
    return [] if viewer is None else [viewer]


def _gauges(results: Results) -> list[Part]:
    first = results.gauges["t3d"]
    return [
        Heading("Pre-training"),
        Paragraph(f"{first['cases']} held-out cases, batches of {first['batch_size']}; 95 % intervals by patient."),
        gauge_table({STARTS[start]: gauges for start, gauges in results.gauges.items()}),
        Bullets([f"T3D: {sentence}" for sentence in first["verdict"]]),
    ]


def _zero_shot(results: Results) -> list[Part]:
    if not results.zero_shot:
        return []
    sentences = []
    for name, run in results.zero_shot.items():
        found = run["mean"]["auroc"]
        within = found["interval"] is None or found["interval"][0] <= 0.5
        said = "not shown to be above chance, .5" if within else "above chance, .5"
        sentences.append(f"{name}: mean AUROC {measured(found)}, {said}.")
    return [
        Heading("Findings by words alone"),
        Paragraph(
            "Zero-shot: held-out volumes are compared with sentences that say a finding and with those of a normal "
            "study, worded as the cohort's reports are (`data/prompts.json`); no label was learnt from."
        ),
        part_table("finding", results.zero_shot, metric="auroc"),
        Bullets(sentences),
    ]


def _downstream(results: Results) -> list[Part]:
    found = {stage: results.of_stage(stage) for stage in STAGES}
    if not any(found.values()):
        return []
    parts: list[Part] = [
        Heading("Segmentation and classification with few labels"),
        Paragraph(
            "Held-out cases, 95 % intervals by patient. Cases, labels and seed are the same for all starts. Findings "
            "are read from frozen features (linear probe), from scratch by training everything."
        ),
    ]
    for stage, metric in STAGES.items():
        if found[stage]:
            parts += [_means(stage, metric, found[stage], results.labels.get(stage))]
            parts += [_differences(stage, found[stage])]
    parts += [part_table(stage, found[stage], metric=metric) for stage, metric in STAGES.items() if found[stage]]
    return parts


def _means(stage: str, metric: str, runs: Mapping[str, dict], labels: Mapping[str, Any] | None) -> Table:
    share = "all" if not labels or "cases" not in labels else f"{len(labels['cases'])} of {labels['of']['cases']}"
    name = {"dice": "Dice", "auroc": "AUROC"}[metric]
    cells = [measured(run["mean"][metric]) for run in runs.values()]
    return Table(["task", "labelled cases", *runs], [[f"{stage}, mean {name}", share, *cells]])


def _differences(stage: str, runs: Mapping[str, dict]) -> Bullets:
    """What the differences allow to say, one sentence for each other start."""
    (first, own), *others = runs.items()
    sentences = []
    for name, run in others:
        found = difference(own, run)
        if found.value is None:
            sentences.append(f"{first} less {name}: not known, no held-out case has both.")
            continue
        value = number(found.value, found.interval)
        sentences.append(f"{first} less {name}, the same cases of {stage}: {value}: {found.verdict}.")
    return Bullets(sentences)


def _files(results: Results) -> list[Part]:
    first = results.features[0] if results.features else ""
    tensors = results.record["tensors"]
    backbone = find_backbone(results.record.get("network", {}).get("backbone", "swin"))
    return [
        Heading("Files"),
        Bullets(
            [
                f"`t3d/models/encoder.safetensors` ({tensors} tensors), names of MONAI's "
                f"{backbone.segmentation.__name__}, for segmentation and classification",
                "`t3d/eval/`, `twin/eval/`: gauges, pictures, TensorBoard curves of pre-training",
                f"`features/`: {len(results.features)} cases, one safetensors file each (`{first}` ..)",
                "`segmentation_*/eval/`, `classification_*/eval/`, `zero_shot_*/`: `metrics.json`, tables, figures",
            ]
        ),
    ]
