"""Labels saved on the server fine-tune its bundles, and what is served next is what was trained."""

import hashlib
import json

import nibabel as nib
import numpy as np
import pytest
from own_inference import agreement, own_label_map, own_scores, served_label_map

TRAINING = {"device": "cpu", "max_epochs": 3, "val_split": 0.2}


def digest(path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def record_of(models) -> dict:
    return json.loads((models / "model.json").read_text())


@pytest.fixture(scope="module")
def released(app) -> dict[str, str]:
    """Hashes of the models as they were installed."""
    return {name: digest(app / "model" / name / "models" / "model.pt")
            for name in ("t3d_segmentation", "t3d_classification")}  # fmt: skip


@pytest.mark.parametrize("count", [1, 2, 4])
def test_labels_train_the_segmentation_that_is_served_next(
    count, server, app, studies, served_labels, released, tmp_path
):
    models = app / "model" / "t3d_segmentation" / "models"
    old_hash, old_record = digest(models / "model.pt"), record_of(models)
    before = served_label_map(server.infer("t3d_segmentation", "p4")[1], tmp_path / "before")
    for number in range(count):
        server.save_label(f"p{number}", served_labels[number])
    state = server.run_task("/train/t3d_segmentation", {**TRAINING, "max_epochs": 5})
    assert state["status"] == "DONE", state["details"]

    record = record_of(models)
    assert digest(models / "model.pt") == record["files"]["model.pt"] != old_hash
    assert record["model"] == ("last" if count < 3 else "best")
    for key in ("network", "preprocessing", "labels"):
        assert record[key] == old_record[key], key
    assert digest(models / "released" / "model.pt") == released["t3d_segmentation"]
    assert not list(models.glob("checkpoint_epoch=*"))

    status, answer = server.infer("t3d_segmentation", "p4")
    assert status == 200, answer
    after = served_label_map(answer, tmp_path / "after")
    assert not np.array_equal(after.dataobj, before.dataobj)
    assert agreement(after, own_label_map(app, studies / "p4.nii.gz", tmp_path / "own")) >= 0.999
    assert nib.load(studies / "p4.nii.gz").shape == after.shape
    for number in range(count):
        server.remove_label(f"p{number}")


@pytest.mark.parametrize("count", [1, 4])
def test_findings_train_the_classifier_that_is_served_next(count, server, app, studies, labels, released, tmp_path):
    models = app / "model" / "t3d_classification" / "models"
    before = server.infer("t3d_classification", "p4", output="json")[1]["prediction"]
    names = [entry["label"] for entry in before]
    for number in range(count):
        file = tmp_path / "findings.json"
        file.write_text(json.dumps({"findings": {name: labels[number][1].get(name) for name in names}}))
        server.save_label(f"p{number}", file)
    state = server.run_task("/train/t3d_classification", TRAINING)
    assert state["status"] == "DONE", state["details"]
    record = record_of(models)
    assert digest(models / "model.pt") == record["files"]["model.pt"] != released["t3d_classification"]
    assert record["findings"] == names
    assert digest(models / "released" / "model.pt") == released["t3d_classification"]
    assert (models / "released" / "thresholds.json").is_file()

    served = {e["label"]: e["score"] for e in server.infer("t3d_classification", "p4", output="json")[1]["prediction"]}
    own = own_scores(app, studies / "p4.nii.gz", tmp_path / "own")
    assert served == pytest.approx(own, abs=1e-5)
    assert served != pytest.approx({entry["label"]: entry["score"] for entry in before}, abs=1e-7)
    for number in range(count):
        server.remove_label(f"p{number}")


def test_findings_that_are_misspelt_are_named(server, tmp_path):
    file = tmp_path / "findings.json"
    file.write_text('{"findings": {"cardiomegali": 1}}')
    server.save_label("p0", file)
    state = server.run_task("/train/t3d_classification", TRAINING)
    server.remove_label("p0")
    assert state["status"] == "ERROR"
    assert any("p0" in line and "cardiomegali" in line for line in state["details"]), state["details"]
