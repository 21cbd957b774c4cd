"""summary.md, summary.html and summary.png of a demonstration."""

import io
from pathlib import Path

from t3d.atomic import write_atomically
from t3d.demo.pictures import draw
from t3d.demo.results import STAGES, STARTS, Results, read_results
from t3d.demo.shown_cases import shown_cases
from t3d.page.html import as_html
from t3d.page.markdown import as_markdown
from t3d.page.parts import Bullets, Heading, Paragraph, Part, Picture
from t3d.page.results import gauge_table, measured, part_table
from t3d.page.table import Table

TITLE = "What the demonstration made"

CAVEAT = (
    "This is a demonstration on computer-made phantoms with tiny networks, a few minutes of training and one seed. It "
    "shows that the parts work together; its numbers say nothing about patients, and little about which start is "
    "better. Research software, not for clinical decisions."
)


def summary(demo_dir: str) -> None:
    """Write ``summary.md``, ``summary.html`` and ``summary.png`` from what a demonstration left in its folder.

    Args:
        demo_dir: holds ``data`` (phantoms), ``t3d``, ``twin``, ``features``, ``segmentation_START`` and
            ``classification_START``; what of the last two is absent is left out of the page.

    Raises:
        T3DError: see ``read_results`` and ``shown_cases``.
    """
    folder = Path(demo_dir)
    results = read_results(folder)
    stream = io.BytesIO()
    draw(folder).savefig(stream, format="png", dpi=110)
    overview = Picture("overview", "summary.png", stream.getvalue())
    numbers = [*_gauges(results), *_downstream(results), *_files(results)]
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


def _downstream(results: Results) -> list[Part]:
    if not results.metrics:
        return []
    rows = []
    for stage, metric in STAGES.items():
        found = [results.metrics.get((stage, start)) for start in STARTS]
        cells = ["not run" if run is None else measured(run["mean"][metric]) for run in found]
        labels = results.labels.get(stage)
        share = "all" if not labels or "cases" not in labels else f"{len(labels['cases'])} of {labels['of']['cases']}"
        name = {"dice": "Dice", "auroc": "AUROC"}[metric]
        rows.append([f"{stage}, mean {name}", share, *cells])
    return [
        Heading("Segmentation and classification with few labels"),
        Table(["task", "labelled cases", *STARTS.values()], rows),
        Paragraph(
            "Held-out cases, 95 % intervals by patient. Cases, steps and seed are the same for the three starts."
        ),
        *(
            part_table(stage, runs, metric=metric)
            for stage, metric in STAGES.items()
            if (runs := results.of_stage(stage))
        ),
    ]


def _files(results: Results) -> list[Part]:
    first = results.features[0] if results.features else ""
    tensors = results.record["tensors"]
    return [
        Heading("Files"),
        Bullets(
            [
                f"`t3d/models/encoder.safetensors` ({tensors} tensors), loads into MONAI's SwinUNETR",
                "`t3d/eval/`, `twin/eval/`: gauges, pictures, TensorBoard curves of pre-training",
                f"`features/`: {len(results.features)} cases, one safetensors file each (`{first}` ..)",
                "`segmentation_*/eval/`, `classification_*/eval/`: `metrics.json`, `metrics.csv`, figures",
            ]
        ),
    ]
