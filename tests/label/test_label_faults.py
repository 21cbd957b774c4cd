"""What an annotator reads when a model or a study is broken, and that the server goes on."""

import gzip

import pytest
import torch

MODELS = ("t3d_segmentation", "t3d_classification")


def wrong_network(app, name, path):
    other = next(model for model in MODELS if model != name)
    path.write_bytes((app / "model" / other / "models" / "model.pt").read_bytes())


def nested(app, name, path):
    torch.save({"state_dict": torch.load(app / "aside.pt", weights_only=True)}, path)


def cut(app, name, path):
    path.write_bytes((app / "aside.pt").read_bytes()[:5000])


def absent(app, name, path):
    path.unlink(missing_ok=True)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (wrong_network, "is of another network than model.json describes"),
        (nested, "is of another network than model.json describes"),
        (cut, "cannot be read"),
        (absent, "does not exist"),
    ],
)
def test_wrong_weights_are_refused_and_right_ones_served_again(name, spoil, words, server, app):
    path = app / "model" / name / "models" / "model.pt"
    before = server.infer(name, "p0", output="json")
    assert before[0] == 200, before
    path.rename(app / "aside.pt")
    try:
        spoil(app, name, path)
        status, answer = server.infer(name, "p0", output="json")
    finally:
        path.unlink(missing_ok=True)
        (app / "aside.pt").rename(path)
    assert status == 500 and words in answer["detail"], answer
    assert str(path) in answer["detail"] and "copy model.pt and model.json" in answer["detail"]
    assert answer["detail"] in server.log()
    after = server.infer(name, "p0", output="json")
    assert after[0] == 200
    if name == "t3d_classification":
        assert after[1]["prediction"] == before[1]["prediction"]


@pytest.mark.parametrize("name", MODELS)
def test_a_broken_study_is_named_and_the_next_one_served(name, server, studies, tmp_path):
    whole = (studies / "p2.nii.gz").read_bytes()
    broken = {
        "truncated": whole[: len(whole) // 2],
        "headless": gzip.compress(b"no header"),
        "empty": b"",
    }
    for case, content in broken.items():
        file = tmp_path / f"{case}.nii.gz"
        file.write_bytes(content)
        status, answer = server.infer(name, str(file), output="json")
        assert status == 422, (case, answer)
        assert f"case {case}: " in answer["detail"] and f"{case}.nii.gz" in answer["detail"], answer
        assert "copy or export" in answer["detail"], answer
        assert server.infer(name, "p2", output="json")[0] == 200


def test_training_refuses_wrong_weights_and_says_so(server, app, studies, served_labels):
    path = app / "model" / "t3d_segmentation" / "models" / "model.pt"
    server.save_label("p0", served_labels[0])
    path.rename(app / "aside.pt")
    try:
        wrong_network(app, "t3d_segmentation", path)
        wrong = path.read_bytes()
        state = server.run_task("/train/t3d_segmentation", {"device": "cpu", "max_epochs": 1})
        assert path.read_bytes() == wrong and not (path.parent / "released").exists()
    finally:
        path.unlink(missing_ok=True)
        (app / "aside.pt").rename(path)
        server.remove_label("p0")
    assert state["status"] == "ERROR"
    assert any("is a checkpoint of another architecture" in line for line in state["details"]), state["details"]


@pytest.mark.parametrize("name", MODELS)
def test_training_without_labels_says_so(name, server):
    state = server.run_task(f"/train/{name}", {"device": "cpu", "max_epochs": 1})
    assert state["status"] == "ERROR"
    assert any("no label was submitted yet" in line for line in state["details"]), state["details"]
