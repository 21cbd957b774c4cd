"""How a segmentation begins: from an encoder or from scratch, and what is refused before anything is written."""

import json
import logging

import pytest
import torch
from bundle_runs import finish_here
from monai.networks.nets import SwinUNETR
from segmentation_runs import NAMES, command, fault, run

from t3d.weights import save_encoder


def encoder_in(folder, **preprocessing):
    network = SwinUNETR(in_channels=1, out_channels=2, feature_size=12, window_size=2)
    prepared = {"spacing": [12.0, 12.0, 12.0], "orientation": "RAS", "hu_range": [-1000, 1000], **preprocessing}
    save_encoder(network, folder, record={"preprocessing": prepared, "network": {"window_size": 2}})
    return network


def test_the_encoder_is_taken_over_whole_and_frozen_as_asked(few, tmp_path, caplog):
    encoder = encoder_in(tmp_path / "encoder").swinViT.state_dict()
    options = {"encoder_weights": str(tmp_path / "encoder" / "encoder.pt"), "max_epochs": 1, "layer_decay": 0.8}
    with caplog.at_level(logging.INFO):
        run((*NAMES, "few_shot"), few, tmp_path / "frozen", freeze_epochs=1, **options)
        # few_shot comes after demo, so its long schedule is overridden here as a user would
    assert "encoder tensors from" in caplog.text and "sha256" in caplog.text
    state = torch.load(tmp_path / "frozen" / "models" / "model.pt", weights_only=True)
    assert all(torch.equal(state[f"swinViT.{name}"], tensor) for name, tensor in encoder.items())
    record = json.loads((tmp_path / "frozen" / "models" / "label_fraction.json").read_text())
    assert len(record["patients"]) == 1 and record["of"] == {"patients": 2, "cases": 3}
    # the only validation case stays
    assert record["validation"]["fraction"] == 0.1 and record["validation"]["of"]["cases"] == 1
    assert len(record["validation"]["cases"]) == 1
    caplog.clear()
    with caplog.at_level(logging.INFO):
        run((*NAMES, "from_scratch", "few_shot"), few, tmp_path / "scratch", max_epochs=1)
    assert "training starts from scratch" in caplog.text


def test_an_encoder_that_does_not_fit_is_refused(few, tmp_path):
    encoder_in(tmp_path / "other", hu_range=[-200, 300])
    options = {"encoder_weights": str(tmp_path / "other" / "encoder.pt")}
    assert "hu_range [-200, 300] there, [-1000, 1000] here" in fault(NAMES, few, tmp_path / "a", **options)
    assert "feature_size" in fault(NAMES, few, tmp_path / "b", feature_size=24, ignore_preprocessing=True, **options)
    assert "window_size" in fault(NAMES, few, tmp_path / "c", window_size=4, ignore_preprocessing=True, **options)
    assert not any((tmp_path / name / "models").exists() for name in "abc")


def test_evaluation_does_not_overwrite_unasked_and_refuses_other_preparation(trained_segmentation, few, tmp_path):
    assert "--overwrite True" in fault((*NAMES, "evaluate"), few, trained_segmentation)
    options = {"output_dir": str(tmp_path / "new"), "hu_range": [-200, 300]}
    assert "hu_range [-1000, 1000] there, [-200, 300] here" in fault(
        (*NAMES, "evaluate"), few, trained_segmentation, **options
    )
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dataset_dir": "nowhere"}, "datalist.json does not exist"),
        ({"crop_size": 32}, "at least 64"),
        ({"labels_file": "nowhere.json"}, "set labels_file to a label table"),
        ({"label_fraction": 0}, "--label_fraction is 0; give a number above 0 and at most 1"),
    ],
)
def test_faults_of_settings_are_plain_and_leave_nothing(few, tmp_path, change, words):
    assert words in fault(NAMES, few, tmp_path, **change)
    assert not (tmp_path / "models").exists()


def test_a_label_outside_the_table_is_one_plain_line(few, tmp_path):
    table = {"background": 0, "lungs": [3, 4]}
    (tmp_path / "labels.json").write_text(json.dumps(table))
    result = finish_here(command(NAMES, few, tmp_path, labels_file=str(tmp_path / "labels.json")), tmp_path)
    case = json.loads((few / "datalist.json").read_text())["training"][0]["case_id"]
    assert result.returncode == 1
    assert "Traceback" not in result.stderr and f"case {case}: label" in result.stderr
    assert not (tmp_path / "models").exists() and not (tmp_path / "eval").exists()
