"""Golden runs: what the three bundles make of a few phantoms, in numbers that were recorded at version 0.1.

``python tests/golden_runs.py --write`` writes ``tests/golden/{pretrain,segmentation,classification}.json`` and
``segmentation_labels.npz`` anew. They were made with version 0.1 (commit 0914bf1), before the large rearrangement of
the package, to show that it changes no weight, prediction, embedding or metric. Whoever rewrites them says in the
commit why the numbers had to change.

Nothing but what users see is touched: option names, files that runs leave, and MONAI's ids of the trainer and of the
datasets.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import safetensors.torch
import torch
from golden_cases import (
    CPU,
    FINER,
    KINDS,
    NAMES,
    RUNS,
    STAGES,
    STORE,
    STORE_OF,
    few_of,
    make_cohorts,
    options_of,
    start,
)
from golden_old_files import old_checkpoint, old_model, old_store
from golden_values import Golden, different, numbers_in, numbers_of, numbers_of_all, read_golden, write_golden
from ignite.engine import Events


def batch_of(stage: str, cohort: Path, folder: Path, **options) -> dict[str, Golden]:
    """The first batch that a training would draw, its cases in order, and the first volume of the validation."""
    parser = start(stage, cohort, folder, **options).parser
    batch = next(iter(parser.get_parsed_content("train#trainer").data_loader))
    cases = list(batch["case_id"])
    # the order of cases is drawn, and for segmentation not keyed at 0.1
    rows = sorted(range(len(cases)), key=cases.__getitem__) if stage == "segmentation" else range(len(cases))
    found = {}
    for number, row in enumerate(rows):
        found[f"batch/{number}/case"] = [float(cases[row].rpartition("_")[2])]
        for key in sorted(batch):
            value = batch[key]
            if isinstance(value, torch.Tensor) and len(value) == len(cases):
                found[f"batch/{number}/{key}"] = numbers_of(key, value[row])
                found[f"batch/{number}/{key}/shape"] = [float(size) for size in value.shape[1:]]
    first = parser.get_parsed_content("validate#dataset")[0]
    for key in ("image", "label"):
        # of a prepared list some trainings only know the place of the image before crops are drawn
        if isinstance(first.get(key), torch.Tensor):
            found[f"volume/{key}"] = numbers_of(key, first[key])
            found[f"volume/{key}/shape"] = [float(size) for size in first[key].shape]
    return found


def train(stage: str, cohort: Path, folder: Path) -> dict[str, Golden]:
    """Train: the loss of every step, the last validation and the final weights; the encoder must be a part of them."""
    workflow = start(stage, cohort, folder)
    losses = []
    trainer = workflow.parser.get_parsed_content("train#trainer")
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda engine: losses.append(_loss(engine.state.output)))
    workflow.run()
    workflow.finalize()
    models = folder / "models"
    found = {f"loss/{number}": [loss] for number, loss in enumerate(losses)}
    last = models / ("model.pt" if stage == "pretrain" else "model_last.pt")
    weights = torch.load(last, weights_only=True)
    found |= numbers_of_all("weights", weights)
    found |= numbers_in("validation", workflow.parser.get_parsed_content("validate#evaluator").state.metrics)
    if stage == "pretrain":
        encoder = safetensors.torch.load_file(models / "encoder.safetensors")
        assert encoder.keys() == {name for name in weights if name.startswith("swinViT.")}
        assert all(torch.equal(tensor, weights[name]) for name, tensor in encoder.items())
    return found


def _loss(output: Any) -> float:
    output = output[0] if isinstance(output, list) else output
    return float(torch.as_tensor(output["loss"]).detach())


def evaluate(stage: str, cohort: Path, folder: Path, **options) -> dict[str, Golden]:
    """Score the test list: all numbers of the report."""
    options = options_of(stage, cohort, folder) | options
    RUNS[stage].run((*NAMES[stage], "evaluate"), cohort, folder, **options)
    report = folder / "eval" / ("gauges.json" if stage == "pretrain" else "metrics.json")
    return numbers_in("report", json.loads(report.read_text()))


def infer(stage: str, cohort: Path, folder: Path, **options) -> dict[str, Golden]:
    """Embeddings, features and maps; label maps; or scores, of the test list."""
    out = folder / "out"
    options = {**CPU, **few_of(stage, cohort), "output_dir": str(out)} | options
    RUNS[stage].infer(cohort, folder, **options)
    found = _label_maps(out)
    for path in sorted(out.glob("*_prob.nii.gz")):
        found[path.name] = numbers_of(path.name, nibabel.load(path).dataobj)
    for path in sorted(out.glob("*.safetensors")):
        found |= numbers_of_all(path.stem, safetensors.torch.load_file(path))
    for path in sorted(out.glob("predictions.json")):
        found |= numbers_in("predictions", json.loads(path.read_text()))
    return found


def zero_shot(cohort: Path, folder: Path) -> dict[str, Golden]:
    """Scores of findings by sentences, of the test list."""
    out = folder / "zero_shot"
    RUNS["pretrain"].infer(cohort, folder, names=("inference", "zero_shot"), output_dir=str(out), **CPU)
    return numbers_in("zero_shot", json.loads((out / "predictions.json").read_text()))


def _label_maps(folder: Path) -> dict[str, Golden]:
    """Every second voxel of the label maps that a run left, and the share of all voxels that has each value."""
    found = {}
    for path in sorted(folder.glob("*_pred.nii.gz")):
        labels = np.asarray(nibabel.load(path).dataobj).astype(np.uint8)
        found[f"{path.name.removesuffix('.nii.gz')}/labels"] = labels[::2, ::2, ::2]
        found[f"{path.name.removesuffix('.nii.gz')}/shares"] = (np.bincount(labels.ravel()) / labels.size).tolist()
    return found


def trained(stage: str, cohorts: dict[str, Path], kind: str, folder: Path) -> dict[str, Golden]:
    """The first batch; two epochs; and what their model says of the test list."""
    cohort = cohorts[kind]
    found = batch_of(stage, cohort, folder) | train(stage, cohort, folder)
    if stage != "segmentation":  # distances of a few stray voxels say too little; its label maps are compared
        found |= evaluate(stage, cohort, folder)
    return found | _under("inference", infer(stage, cohort, folder))


def given_weights(stage: str, cohorts: dict[str, Path], kind: str, folder: Path) -> dict[str, Golden]:
    """What a model of version 0.1 says of the test list."""
    cohort = cohorts[kind]
    old_model(stage, folder, text_encoder=cohorts["text_encoder"])
    if stage == "segmentation":  # windows beside each other, as many as the overlap says
        found = evaluate(stage, cohort, folder, spacing=FINER, ignore_preprocessing=True)
        return found | _under("inference", infer(stage, cohort, folder, spacing=FINER, save_probabilities=True))
    found = evaluate(stage, cohort, folder)
    if stage == "classification":
        return found | _under("inference", infer(stage, cohort, folder))
    found |= _under("inference", infer(stage, cohort, folder, save_map=True))
    return found | zero_shot(cohort, folder)


def resumed(stage: str, cohorts: dict[str, Path], kind: str, folder: Path) -> dict[str, Golden]:
    """One more epoch after a checkpoint of version 0.1."""
    return train(stage, cohorts[kind], old_checkpoint(stage, folder))


def from_store(stage: str, cohorts: dict[str, Path], kind: str, folder: Path) -> dict[str, Golden]:
    """The first batch from a store of version 0.1, which is of the prepared kind alone."""
    store = old_store(folder / "store")
    options = {**STORE, **STORE_OF.get(stage, {}), "datalist_file": str(store / "datalist.json")}
    return batch_of(stage, store, folder, **options)


# Learning rates are 1e-3 and 2e-3; steps on rounding carried a weight 4e-5, 2e-4 and 4e-6 apart with SSE and AVX-512.
# The encoder of the classification is frozen in the first epoch, so its first steps come after the checkpoint.
NOISE = {("trained", "pretrain"): 4e-4, ("trained", "segmentation"): 1e-3}
NOISE |= {("trained", "classification"): 4e-5, ("resumed", "classification"): 4e-5}
PARTS = {part.__name__: part for part in (trained, given_weights, resumed, from_store)}
KINDS_OF = {"trained": KINDS, "given_weights": KINDS, "resumed": ("raw",), "from_store": ("prepared",)}


def entries(part: str, stage: str, cohorts: dict[str, Path], kind: str, folder: Path) -> dict[str, Golden]:
    """One part of the golden values of one bundle, by their names in the golden file."""
    return _under(f"{part}/{kind}", PARTS[part](stage, cohorts, kind, folder))


# gauges that are another measure since 0.1: other studies of a patient are no rivals in a contrast, and a report gains
# nats of the loss instead of hits
MEASURED_OTHERWISE = {
    name + end
    for name in ("tic_accuracy", "tic_shortcut", "tic_chance", "text_gain_contrast")
    for end in ("", "_interval")
}


def check(part: str, stage: str, cohorts: dict[str, Path], kind: str, folder: Path) -> None:
    """Fail where a part is not what it was at version 0.1."""
    golden = {
        name: value
        for name, value in read_golden(stage).items()
        if name.startswith(f"{part}/{kind}/") and not MEASURED_OTHERWISE & set(name.split("/"))
    }
    assert golden
    faults = different(golden, entries(part, stage, cohorts, kind, folder), noise=NOISE.get((part, stage), 0.0))
    assert not faults, "\n".join([f"{len(faults)} of {len(golden)} golden values are others:", *faults[:20]])


def _under(place: str, found: dict[str, Golden]) -> dict[str, Golden]:
    return {f"{place}/{name}": value for name, value in found.items()}


def main() -> None:
    """Write the golden files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", required=True, help="replace the files in tests/golden")
    parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cohorts = make_cohorts(folder)
        for stage in STAGES:
            found = {}
            for part in PARTS:
                for kind in KINDS_OF[part]:
                    found |= entries(part, stage, cohorts, kind, folder / part / stage / kind)
            write_golden(stage, found)


if __name__ == "__main__":
    main()
