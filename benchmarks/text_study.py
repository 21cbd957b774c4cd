"""Does the text help? Trains several recipes on one cohort with one seed and prints a table of gauges and probes.

python benchmarks/text_study.py --dataset_dir COHORT --out_dir OUT [--recipes "image;twin;.."] [--max_epochs 20]

Every recipe is the bundle's train.json + demo.json with a few overrides, run through ``monai.bundle run`` as a user
would. A recipe that is finished is not run again, so the study can be interrupted and extended.
"""

import json
import logging
import sys
from pathlib import Path

import fire
from bundle_command import bundle_run
from findings_probe import probe

logger = logging.getLogger("text_study")

RECIPES: dict[str, dict] = {
    "twin": {"use_text": False},
    "image": {},
    "shared_report": {"candidates": "shared_report"},
    "own_report": {"candidates": "own_report"},
    "image, corruption 0.3": {"corruption": 0.3},
    "twin, corruption 0.3": {"corruption": 0.3, "use_text": False},
    "image, corruption 0.85": {"corruption": 0.85},
    "image + alignment": {"alignment_weight": 0.5},
    "image, matched 0.5 ramp": {"matched_position": 0.5, "matched_ramp_epochs": 10},
    "image, sentences 0.5": {"sentences": 0.5},
    "image + alignment, matched 0.5 ramp": {
        "alignment_weight": 0.5, "matched_position": 0.5, "matched_ramp_epochs": 10
    },
    "image, last text layer": {"report_cache": False, "trained_text_layers": 1},
}  # fmt: skip


def run_recipe(name: str, dataset_dir: Path, folder: Path, **shared) -> dict:
    """Train, evaluate and probe one recipe; returns its row of the table."""
    result = folder / "result.json"
    if not result.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        places = {"dataset_dir": dataset_dir, "ckpt_dir": folder / "models", "output_dir": folder / "eval"}
        options = {**places, **shared, **RECIPES[name]}
        bundle_run("pretrain", ("train", "demo"), folder / "train.log", **options)
        bundle_run("pretrain", ("train", "demo", "evaluate"), folder / "evaluate.log", **options)
        for split in ("training", "test"):
            bundle_run(
                "pretrain", ("inference",), folder / "features.log", dataset_dir=dataset_dir,
                ckpt_dir=folder / "models", output_dir=folder / "features", split=split, overwrite=True,
            )  # fmt: skip
        gauges = json.loads((folder / "eval" / "gauges.json").read_text())
        gauges["probe"] = probe(dataset_dir / "datalist.json", folder / "features", labels=(20, 50, 100000))
        result.write_text(json.dumps(gauges, indent=2))
    return json.loads(result.read_text())


def row(name: str, gauges: dict) -> str:
    """One line of the table."""
    cells = [name]
    for key in ("tic_accuracy", "tic_shortcut"):
        cells.append(_percent(gauges[key], gauges[f"{key}_interval"]))
    gains = (gauges["text_gain_contrast"], gauges["text_gain_restoration"])
    cells += ["" if gain is None else f"{gain:+.5f}" for gain in gains]
    cells.append(f"{gauges['restoration_error']:.4f}")
    cells += [f"{gauges['corrupted_input_error']:.4f}", f"{gauges['effective_rank']:.1f}"]
    cells += [" / ".join(f"{auc:.3f}" for auc in gauges["probe"].values())]
    return "| " + " | ".join(cells) + " |"


def _percent(value: float | None, interval: list | None) -> str:
    return "" if value is None else f"{100 * value:.1f} ({100 * interval[0]:.1f} to {100 * interval[1]:.1f})"


def study(dataset_dir: str, out_dir: str, *, recipes: str | tuple = tuple(RECIPES), **shared) -> None:
    """Run the recipes one after another; options beyond the named ones go to every run as overrides."""
    names = [name.strip() for name in recipes.split(";")] if isinstance(recipes, str) else list(recipes)
    header = (
        "recipe",
        "top-1 %",
        "noise %",
        "text gain, points",
        "text gain, L1",
        "restored L1",
        "corrupted L1",
        "rank",
    )
    header += ("probe AUROC 20 / 50 / all labels",)
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    for name in names:
        folder = Path(out_dir) / name.replace(" ", "_").replace(",", "")
        lines.append(row(name, run_recipe(name, Path(dataset_dir).resolve(), folder.resolve(), **shared)))
        logger.info("%s", lines[-1])
    table = "\n".join(lines) + "\n"
    (Path(out_dir) / "table.md").write_text(table)
    sys.stdout.write(table)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    fire.Fire(study)
