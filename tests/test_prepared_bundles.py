"""The bundles train from a prepared datalist in place of the raw one, chosen by what the list says."""

import re

import classification_runs
import numpy as np
import pretrain_runs
import pytest
import segmentation_runs
import torch

pytest.importorskip("blosc2")
from bundle_runs import finish, weights  # noqa: E402
from monai.bundle import ConfigParser  # noqa: E402
from prepared_cohort import prepare_small  # noqa: E402

from t3d.errors import plain_message  # noqa: E402
from t3d.volume.store import StoredVolume  # noqa: E402

SPACING = [12.0, 12.0, 12.0]


@pytest.fixture(scope="module")
def folders(cohort, tmp_path_factory):
    """The raw and the prepared cohort."""
    return prepare_small(cohort, tmp_path_factory.mktemp("bundles"), spacing=tuple(SPACING), counts=(14, 4, 4))


def test_pretraining(folders, tmp_path):
    # a jittered view has another gamma, which makes rounding near 0 larger
    options = {"use_text": False, "max_epochs": 1, "spacing": SPACING, "jitter": 0.0}
    first = []
    for folder in folders:
        workflow = pretrain_runs.run(("train", "demo"), folder, tmp_path / folder.name, **options)
        assert (tmp_path / folder.name / "models" / "encoder.safetensors").is_file()
        first.append(next(iter(workflow.parser.get_parsed_content("train#dataloader"))))
    raw, prepared = first
    assert raw["case_id"] == prepared["case_id"] and torch.equal(raw["view_start"], prepared["view_start"])
    assert (raw["image"] - prepared["image"]).abs().max() <= 1 / 2000
    assert (raw["corrupted"] - prepared["corrupted"]).abs().max() <= 1 / 2000


def test_two_processes_with_workers_read_one_store(folders, tmp_path, free_port):
    launcher = ("torch.distributed.run", "--nproc_per_node", "2", "--master_port", str(free_port))
    options = {"use_text": False, "max_epochs": 1, "spacing": SPACING, "num_workers": 1}
    line = pretrain_runs.command(
        ("train", "demo", "multi_gpu_train"), folders[1], tmp_path, launcher=launcher, **options
    )
    result = finish(line, tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert all(torch.isfinite(value).all() for value in weights(tmp_path).values())


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
    for folder in folders:
        classification_runs.infer(
            folder, tmp_path / "infer" / folder.name, spacing=SPACING, ckpt_dir=str(tmp_path / "prepared" / "models")
        )
    raw, prepared = (
        (tmp_path / "infer" / folder.name / "eval" / "predictions.json").read_text() for folder in folders
    )
    numbers = [np.array([float(n) for n in re.findall(r": (\d\.\d+)", text)]) for text in (raw, prepared)]
    assert len(numbers[0]) > 3 and np.allclose(*numbers, atol=1e-3)


@pytest.mark.parametrize("runs", [pretrain_runs, classification_runs, segmentation_runs])
def test_another_spacing_is_refused_before_training(runs, folders, tmp_path):
    with pytest.raises(Exception) as caught:  # noqa: PT011, MONAI's parser wraps it
        runs.run(("train", "demo"), folders[1], tmp_path, spacing=[8.0, 8.0, 8.0])
    assert "spacing [12.0, 12.0, 12.0] mm" in plain_message(caught.value)
    assert "[8.0, 8.0, 8.0] mm" in plain_message(caught.value)


SEGMENTATION = {"max_epochs": 1, "label_fraction": 0.07, "crop_size": 64, "crops_per_case": 3, "batch_size": 1}


def check_batch(parser, monkeypatch):
    read, real = [], StoredVolume.__getitem__
    monkeypatch.setattr(StoredVolume, "__getitem__", lambda self, box: read.append(real(self, box)) or read[-1])
    batch = next(iter(parser.get_parsed_content("train#dataloader")))
    assert len(read) == 3 * 2  # an image and a label for each crop, and never a whole volume besides
    assert batch["image"].shape[1:] == (1, 64, 64, 64)
    assert batch["image"].abs().max() < 1.5 and batch["image"].std() > 0.05
    assert 0 < batch["label"].max() <= len(parser.get_parsed_content("class_names"))


def test_segmentation(folders, tmp_path, monkeypatch):
    names = ("train", "demo")
    workflow = segmentation_runs.run(names, folders[1], tmp_path, **SEGMENTATION)
    assert (tmp_path / "models" / "model.pt").is_file()
    check_batch(workflow.parser, monkeypatch)
    segmentation_runs.run((*names, "evaluate"), folders[1], tmp_path, **SEGMENTATION)
    assert (tmp_path / "eval" / "metrics.json").is_file()
    assert len(list((tmp_path / "eval").glob("*_pred.nii.gz"))) == 4


def test_segmentation_of_tumours(folders, tmp_path, monkeypatch):
    parser = ConfigParser()
    parser.read_config(segmentation_runs.config_files("train", "tumour", "demo"))
    parser.update(
        {
            **segmentation_runs.places(folders[1], tmp_path), "spacing": SPACING, **SEGMENTATION,
            "labels_file": str(segmentation_runs.BUNDLE / "configs" / "labels_demo.json"), "lesion_classes": ["heart"],
        }
    )  # fmt: skip
    check_batch(parser, monkeypatch)
    crops = parser.get_parsed_content("train#random_transforms").transforms[0]
    assert list(crops.ratios)[:3] == [1, 1, 3] and crops.lesion_classes == {2}


def test_whole_volumes_of_segmentation_equal_the_raw_ones(folders, tmp_path):
    items = []
    for folder in folders:
        parser = ConfigParser()
        parser.read_config(segmentation_runs.config_files("train", "demo"))
        parser.update({**segmentation_runs.places(folder, tmp_path), "spacing": SPACING})
        items.append(parser.get_parsed_content("validate#dataset")[0])
    raw, prepared = items
    assert (raw["image"].as_tensor() - prepared["image"].as_tensor()).abs().max() <= 1 / 2000
    assert torch.equal(raw["label"].as_tensor(), prepared["label"].as_tensor())
    assert torch.allclose(raw["image"].affine, prepared["image"].affine)
