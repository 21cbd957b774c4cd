"""The bundles train from a prepared datalist in place of the raw one, chosen by what the list says."""

import bundle_runs
import classification_runs
import pytest
import torch

pytest.importorskip("blosc2")
from prepared_cohort import prepare_small  # noqa: E402

from t3d.console import plain_message  # noqa: E402
from t3d.prepare.store import StoredVolume  # noqa: E402

SPACING = [12.0, 12.0, 12.0]


@pytest.fixture(scope="module")
def folders(cohort, tmp_path_factory):
    """The raw and the prepared cohort."""
    return prepare_small(cohort, tmp_path_factory.mktemp("bundles"), spacing=tuple(SPACING), counts=(14, 4, 4))


def test_pretraining(folders, tmp_path):
    options = {"use_text": False, "max_epochs": 1, "spacing": SPACING}
    first = []
    for folder in folders:
        workflow = bundle_runs.run(("train", "demo"), folder, tmp_path / folder.name, **options)
        assert (tmp_path / folder.name / "models" / "encoder.safetensors").is_file()
        first.append(next(iter(workflow.parser.get_parsed_content("train#dataloader"))))
    raw, prepared = first
    assert raw["case_id"] == prepared["case_id"] and torch.equal(raw["view_start"], prepared["view_start"])
    assert (raw["image"] - prepared["image"]).abs().max() <= 1 / 2000
    assert (raw["corrupted"] - prepared["corrupted"]).abs().max() <= 1 / 2000


def test_classification(folders, tmp_path, monkeypatch):
    first, read = [], []
    real = StoredVolume.__getitem__
    monkeypatch.setattr(StoredVolume, "__getitem__", lambda self, box: read.append(real(self, box)) or read[-1])
    for folder in folders:
        workflow = classification_runs.run(("train", "demo"), folder, tmp_path / folder.name, max_epochs=1)
        assert (tmp_path / folder.name / "models" / "model.pt").is_file()
        read.clear()
        first.append(next(iter(workflow.parser.get_parsed_content("train#dataloader"))))
    raw, prepared = first
    assert read and all(max(part.shape) <= 32 for part in read)
    assert torch.equal(raw["window_mask"], prepared["window_mask"]) and torch.equal(raw["label"], prepared["label"])
    # the intensity augmentations move a difference of half an HU a little
    assert (raw["image"] - prepared["image"]).abs().max() <= 1 / 1000
    evaluated = classification_runs.run(("train", "demo", "evaluate"), folders[1], tmp_path / "prepared")
    assert evaluated and (tmp_path / "prepared" / "eval" / "metrics.json").is_file()


@pytest.mark.parametrize("runs", [bundle_runs, classification_runs])
def test_another_spacing_is_refused_before_training(runs, folders, tmp_path):
    with pytest.raises(Exception) as caught:  # noqa: PT011, MONAI's parser wraps it
        runs.run(("train", "demo"), folders[1], tmp_path, spacing=[8.0, 8.0, 8.0])
    assert "spacing [12.0, 12.0, 12.0] mm" in plain_message(caught.value)
    assert "[8.0, 8.0, 8.0] mm" in plain_message(caught.value)
