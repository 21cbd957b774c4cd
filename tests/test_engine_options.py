"""``accumulate`` and ``clip_norm`` do in all three bundles what they say."""

import classification_runs
import pretrain_runs
import pytest
import segmentation_runs
import torch

CLIP = 1e-3
BUNDLES = {
    "segmentation": (segmentation_runs, "few", ("train", "demo")),  # three steps of one case
    "classification": (classification_runs, "cohort", ("train", "demo")),
    "pretrain": (pretrain_runs, "cohort", ("train", "demo", "vision_only")),
}


@pytest.mark.parametrize("bundle", BUNDLES)
def test_one_clipped_step_for_three_batches(bundle, request, tmp_path):
    runs, cohort, names = BUNDLES[bundle]
    options = {"max_epochs": 1, "accumulate": 3, "clip_norm": CLIP, "steps_per_epoch": 3}
    runs.run(names, request.getfixturevalue(cohort), tmp_path, **options)
    content = torch.load(tmp_path / "models" / "checkpoint_epoch=1.pt", weights_only=True)
    moments = content["optimizer"]["state"].values()
    assert {int(one["step"]) for one in moments} == {1} and content["scheduler"]["last_epoch"] == 3
    # after one step of Adam its first moment is a tenth of the gradient it was given
    norm = torch.linalg.vector_norm(torch.stack([one["exp_avg"].norm() for one in moments])).item()
    assert 10 * norm == pytest.approx(CLIP, rel=1e-3)
    assert content["recipe"]["accumulate"] == 3 and content["recipe"]["clip_norm"] == CLIP
