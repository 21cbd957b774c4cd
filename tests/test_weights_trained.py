"""Weights of another training are refused beside a record, in every bundle's inference and evaluation."""

import shutil

import classification_runs
import pretrain_runs
import pytest
import segmentation_runs
import torch
from bundle_runs import said

from t3d.errors import T3DError
from t3d.files import sha256, write_json
from t3d.weights import load_model, load_pretrained, save_network
from t3d.weights.record import new_record


def beside(folder, network, *, kind="segmentation", record="model.json"):
    save_network(network, folder / "model.pt")
    write_json(folder / record, new_record(kind, files={"model.pt": sha256(folder / "model.pt")}, record={}))


def test_the_file_that_the_record_names_is_loaded(tmp_path):
    network, target = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
    beside(tmp_path, network)
    assert load_model(target, tmp_path / "model.pt") is target
    assert torch.equal(target.weight, network.weight)


def test_other_bytes_under_its_name_are_refused(tmp_path):
    target = torch.nn.Linear(2, 1)
    before = target.weight.clone()
    beside(tmp_path, torch.nn.Linear(2, 1))
    save_network(torch.nn.Linear(2, 1), tmp_path / "model.pt")
    with pytest.raises(T3DError, match=r"is not the file that model\.json describes"):
        load_model(target, tmp_path / "model.pt")
    assert torch.equal(target.weight, before)


def test_what_the_record_does_not_speak_of_is_not_compared(tmp_path):
    beside(tmp_path, torch.nn.Linear(2, 1))
    save_network(torch.nn.Linear(2, 1), tmp_path / "checkpoint.pt")
    load_model(torch.nn.Linear(2, 1), tmp_path / "checkpoint.pt")
    # an encoder's record that was copied along with the encoder speaks of the pre-training's model.pt
    beside(tmp_path / "copied", torch.nn.Linear(2, 1), kind="encoder", record="encoder.json")
    save_network(torch.nn.Linear(2, 1), tmp_path / "copied" / "model.pt")
    load_model(torch.nn.Linear(2, 1), tmp_path / "copied" / "model.pt")
    with pytest.raises(T3DError, match=r"encoder\.json describes"):
        load_pretrained(torch.nn.Linear(2, 1), tmp_path / "copied" / "model.pt")


def test_images_prepared_otherwise_are_refused_unless_it_is_meant(tmp_path, caplog):
    prepared = {"spacing": [1.0, 1.0, 1.0], "hu_range": [-1000, 1000]}
    save_network(torch.nn.Linear(2, 1), tmp_path / "model.pt")
    files = {"model.pt": sha256(tmp_path / "model.pt")}
    write_json(tmp_path / "model.json", new_record("model", files=files, record={"preprocessing": prepared}))
    shutil.copy(tmp_path / "model.pt", tmp_path / "checkpoint.pt")
    target = torch.nn.Linear(2, 1)
    load_model(target, tmp_path / "model.pt", preprocessing={"spacing": 1.0})
    before = target.weight.clone()
    for name in ("model.pt", "checkpoint.pt"):
        with pytest.raises(T3DError, match=r"prepared otherwise: spacing \[1\.0, 1\.0, 1\.0\] there, 2\.0 here"):
            load_model(target, tmp_path / name, preprocessing={"spacing": 2.0})
    assert torch.equal(target.weight, before)
    with caplog.at_level("WARNING"):
        load_model(target, tmp_path / "model.pt", preprocessing={"spacing": 2.0}, ignore_preprocessing=True)
    assert "spacing [1.0, 1.0, 1.0] there, 2.0 here" in caplog.text


def double(weights):
    """Weights that fit the same network."""
    state = torch.load(weights, weights_only=True)
    torch.save({name: 2 * tensor if tensor.is_floating_point() else tensor for name, tensor in state.items()}, weights)


@pytest.mark.parametrize("names", [("inference",), ("train", "demo", "evaluate")])
@pytest.mark.parametrize("task", ["segmentation", "classification"])
def test_a_bundle_says_so(task, names, trained_segmentation, trained_classification, few, cohort, tmp_path):
    runs, trained, data = {
        "segmentation": (segmentation_runs, trained_segmentation, few),
        "classification": (classification_runs, trained_classification, cohort),
    }[task]  # fmt: skip
    shutil.copytree(trained / "models", tmp_path / "models")
    double(tmp_path / "models" / "model.pt")
    refused(runs, names, data, tmp_path, "model.json")


@pytest.fixture(scope="module")
def pretrained(cohort, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pretrained")
    pretrain_runs.run(
        ("train", "demo", "vision_only"), cohort, folder, max_epochs=1, steps_per_epoch=1, val_interval=9
    )
    return folder


@pytest.mark.parametrize("names", [("inference",), ("train", "demo", "vision_only", "evaluate")])
def test_the_pretraining_bundle_says_so(names, pretrained, cohort, tmp_path):
    shutil.copytree(pretrained / "models", tmp_path / "models")
    double(tmp_path / "models" / "model.pt")
    refused(pretrain_runs, names, cohort, tmp_path, "encoder.json")


def test_an_evaluation_of_images_prepared_otherwise_is_refused(
    pretrained, trained_segmentation, trained_classification, few, cohort, tmp_path
):
    for runs, names, trained, data in (
        (pretrain_runs, ("train", "demo", "vision_only", "evaluate"), pretrained, cohort),
        (segmentation_runs, ("train", "demo", "evaluate"), trained_segmentation, few),
        (classification_runs, ("train", "demo", "evaluate"), trained_classification, cohort),
    ):
        folder = tmp_path / runs.BUNDLE.name
        shutil.copytree(trained / "models", folder / "models")
        with pytest.raises(Exception) as caught:  # noqa: B017 - MONAI wraps it; its words are what is tested
            runs.run(names, data, folder, spacing=[6.0, 6.0, 6.0])
        assert "prepared otherwise: spacing [12.0, 12.0, 12.0] there, [6.0, 6.0, 6.0] here" in said(caught)
        assert not any((folder / "eval").glob("*.json"))


def refused(runs, names, data, folder, record):
    with pytest.raises(Exception) as caught:  # noqa: B017 - MONAI wraps it; its words are what is tested
        runs.infer(data, folder) if names == ("inference",) else runs.run(names, data, folder)
    assert f"is not the file that {record} describes" in said(caught)
    assert not any((folder / "eval").glob("*"))


def test_weights_from_elsewhere_are_taken(trained_segmentation, few, tmp_path):
    shutil.copytree(trained_segmentation / "models", tmp_path / "models")
    (tmp_path / "mine").mkdir()
    shutil.copy(tmp_path / "models" / "model.pt", tmp_path / "mine" / "model.pt")
    double(tmp_path / "mine" / "model.pt")
    segmentation_runs.infer(few, tmp_path, weights=str(tmp_path / "mine" / "model.pt"))
    assert list((tmp_path / "eval").glob("*_pred.nii.gz"))
