"""All arms of a shipped plan encode equally many crops a step, counted at the encoder."""

import pretrain_runs
import pytest
import torch
from monai.bundle import ConfigWorkflow

from t3d.study.plan import ORACLE, SCRATCH, SHUFFLED, TRAINED, UNTRAINED, read_plan

VOLUMES = 2


def _crops_of_a_volume(recipe, cohort, folder):
    """What passes the encoder in one step, without the second pass that saves memory."""
    overlays = pretrain_runs.config_files("train", *recipe.overlays)
    options = {**pretrain_runs.places(cohort, folder), **recipe.options, **pretrain_runs.TINY}
    options |= {"batch_size": VOLUMES, "feature_size": 12, "window_size": 2}
    workflow = ConfigWorkflow(config_file=overlays, workflow_type="train", logging_file=False, **options)
    workflow.initialize()
    parts = {
        name: workflow.parser.get_parsed_content(name)
        for name in ("network_def", "reports", "train#dataset#data", "train#dataloader", "prepare_batch")
    }
    parts["reports"].precompute(parts["train#dataset#data"])
    network, seen = parts["network_def"].train(), []
    network.vision.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
    image, _, _, inputs = parts["prepare_batch"](next(iter(parts["train#dataloader"])), torch.device("cpu"), False)
    with torch.no_grad():
        network(image, **inputs)
    return sum(seen) // VOLUMES


@pytest.mark.parametrize("name", ["study_cpu", "study_gpu"])
def test_arms_encode_equally_many_crops_a_step(name, cohort, tmp_path):
    plan = read_plan(name)
    counted = {}
    for arm, one in plan.arms.items():
        if one.kind == ORACLE:
            options = plan.stages["classification"].and_then(one.recipe).options
            counted[arm] = options["batch_size"] * options["train_windows"]
        elif one.kind not in (SCRATCH, UNTRAINED, SHUFFLED):
            recipe = plan.stages["pretrain"].and_then(one.recipe)
            crops = _crops_of_a_volume(recipe, cohort, tmp_path / arm)
            counted[arm] = recipe.options["batch_size"] * crops
        elif one.kind == SHUFFLED:  # trained as the arm that it is held against, but for the reports
            held = [plan.arms[name] for name, control in plan.controls().items() if control == arm]
            assert any(other.recipe == one.recipe and other.kind == TRAINED for other in held)
    assert len(counted) >= 3 and len(set(counted.values())) == 1, counted
