"""A training that diverges ends in one sentence, in all three bundles, and leaves the last good checkpoint."""

import shutil

import classification_runs
import pretrain_runs
import pytest
import segmentation_runs
import torch
from bundle_runs import finish, weights

WORDS = ("is nan at iteration", "is inf at iteration", "have the norm", "the training diverged")
FAST = {"learning_rate": 1e30, "allow_changed": ["learning_rate"]}


def state(folder):
    return {path.name: path.read_bytes() for path in (folder / "models").iterdir() if path.is_file()}


def check(said, folder, before):
    assert "error" not in said.split("\n")[0].lower() and any(words in said for words in WORDS), said
    assert "lower learning_rate" in said and "the last checkpoint is good" in said and "\n" not in said.strip()
    after = state(folder)
    assert after == before, "what was good was touched"
    for name in after:
        if name.startswith("checkpoint_epoch="):
            content = torch.load(folder / "models" / name, weights_only=True)
            assert all(torch.isfinite(value).all() for value in content["network"].values())


@pytest.mark.parametrize("bundle", ["segmentation", "classification"])
def test_downstream(bundle, few, cohort, request, tmp_path):
    runs, folder = {
        "segmentation": (segmentation_runs, few), "classification": (classification_runs, cohort),
    }[bundle]  # fmt: skip
    shutil.copytree(request.getfixturevalue(f"trained_{bundle}") / "models", tmp_path / "models")
    before = state(tmp_path)
    check(runs.fault(runs.NAMES, folder, tmp_path, max_epochs=4, **FAST), tmp_path, before)


def test_pretraining(cohort, tmp_path):
    names = ("train", "demo", "vision_only")
    pretrain_runs.run(names, cohort, tmp_path, max_epochs=1)
    before = state(tmp_path)
    check(pretrain_runs.RUNS.fault(names, cohort, tmp_path, max_epochs=3, **FAST), tmp_path, before)


def test_a_run_from_the_shell_that_diverges_at_once(few, tmp_path):
    options = {"max_epochs": 2, "learning_rate": 1e30, "warmup_steps": 0}
    result = finish(segmentation_runs.command(segmentation_runs.NAMES, few, tmp_path, **options), tmp_path)
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ") and any(words in last for words in WORDS)
    assert "there is no checkpoint yet" in last and "checkpoint is good" not in last
    assert "Traceback" not in result.stderr and not list((tmp_path / "models").glob("*.pt"))
    with pytest.raises(FileNotFoundError):
        weights(tmp_path)
