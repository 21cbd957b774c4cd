import json

import pytest
from torch.utils.tensorboard import SummaryWriter

from t3d.errors import T3DError
from t3d.summary import summary, training_curves


def demo(folder):
    for name in ("data", "models", "eval", "features"):
        (folder / name).mkdir()
    gauges = {"tic_chance": 0.25, "cases": 7, "batch_size": 4, "embedding_width": 64, "effective_rank": 9.5,
              "verdict": ["The report is used."]}  # fmt: skip
    for name in ("tic_accuracy", "tic_shortcut", "restoration_error", "corrupted_input_error"):
        gauges |= {name: 0.5, f"{name}_interval": [0.4, 0.6]}
    for name in ("text_gain_contrast", "text_gain_restoration"):
        gauges |= {name: None, f"{name}_interval": None}
    (folder / "eval" / "gauges.json").write_text(json.dumps(gauges))
    (folder / "models" / "encoder.json").write_text(json.dumps({"tensors": 126}))
    (folder / "features" / "case_1.safetensors").touch()
    with SummaryWriter(str(folder / "eval" / "tensorboard")) as writer:
        for step in range(3):
            writer.add_scalar("loss", 3.0 - step, step)
            writer.add_scalar("Lr", 1.0, step)


def test_page_and_picture(tmp_path):
    demo(tmp_path)
    summary(str(tmp_path))
    page = (tmp_path / "summary.md").read_text()
    for words in ("phantoms", "not for clinical decisions", "| 0.5000 | 0.4000 to 0.6000 |", "126 tensors", "1 cases"):
        assert words in page
    assert "gain of the right report" not in page  # the twin has none
    assert (tmp_path / "summary.png").stat().st_size > 10_000


def test_curves_are_read_back(tmp_path):
    demo(tmp_path)
    assert training_curves(tmp_path / "eval" / "tensorboard") == {"loss": ([0, 1, 2], [3.0, 2.0, 1.0])}


def test_a_missing_step_is_named(tmp_path):
    with pytest.raises(T3DError, match="run the evaluation first"):
        summary(str(tmp_path))
