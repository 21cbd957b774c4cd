import json

import nibabel
import numpy as np
import pytest
from test_page import parsed
from torch.utils.tensorboard import SummaryWriter

from t3d.demo.page import summary
from t3d.demo.pictures import training_curves
from t3d.errors import T3DError
from t3d.page.case import unpack


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def nifti(path, array, affine=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(array, np.eye(4) if affine is None else affine), path)


def gauges(accuracy):
    found = {"tic_chance": 0.25, "cases": 7, "batch_size": 4, "embedding_width": 64, "effective_rank": 9.5,
             "verdict": ["The report is used."]}  # fmt: skip
    for name in ("tic_accuracy", "tic_shortcut", "restoration_error", "corrupted_input_error"):
        found |= {name: accuracy, f"{name}_interval": [0.4, 0.6]}
    for name in ("text_gain_contrast", "text_gain_restoration"):
        found |= {name: None, f"{name}_interval": None}
    return found


def demo(folder):
    write(folder / "t3d" / "eval" / "gauges.json", gauges(0.5))
    write(folder / "twin" / "eval" / "gauges.json", gauges(0.45))
    write(folder / "t3d" / "models" / "encoder.json", {"tensors": 126})
    (folder / "features").mkdir()
    (folder / "features" / "case_1.safetensors").touch()
    with SummaryWriter(str(folder / "t3d" / "eval" / "tensorboard")) as writer:
        for step in range(3):
            writer.add_scalar("loss", 3.0 - step, step)
            writer.add_scalar("Lr", 1.0, step)


def downstream(folder, start, dice, cases=3):
    entry = {"mean": dice, "interval": [dice - 0.1, dice + 0.1]}
    place = folder / f"segmentation_{start}"
    write(place / "eval" / "metrics.json", {"classes": {"aorta_1": {"dice": entry}}, "mean": {"dice": entry}})
    record = {"cases": [f"case_{i}" for i in range(cases)], "of": {"patients": 18, "cases": 20}}
    write(place / "models" / "label_fraction.json", record)
    entry = {"value": None, "interval": None}
    place = folder / f"classification_{start}"
    write(place / "eval" / "metrics.json", {"findings": {"cyst": {"auroc": entry}}, "mean": {"auroc": entry}})


def test_page_and_picture(tmp_path):
    demo(tmp_path)
    for start, dice in (("t3d", 0.7), ("scratch", 0.6)):
        downstream(tmp_path, start, dice)
    for start, interval in (("t3d", [0.68, 0.76]), ("shuffled", [0.49, 0.6])):
        entry = {"value": interval[0] + 0.04, "interval": interval}
        found = {"findings": {"cyst": {"auroc": {"value": None, "interval": None}}}, "mean": {"auroc": entry}}
        write(tmp_path / f"zero_shot_{start}" / "metrics.json", found)
    summary(str(tmp_path))
    page = (tmp_path / "summary.md").read_text()
    for words in (
        "phantoms",
        "not for clinical decisions",
        "| restored crop, L1 | 0.5000 (0.4000 to 0.6000) | 0.4500 (0.4000 to 0.6000) |",
        "126 tensors",
        "1 cases",
        "| task | labelled cases | T3D | from scratch |",
        "| segmentation, mean Dice | 3 of 20 | 0.700 (0.600 to 0.800) | 0.600 (0.500 to 0.700) |",
        "- T3D less from scratch: not known, no held-out case has both.",
        "| aorta 1 | 0.700 (0.600 to 0.800) | 0.600 (0.500 to 0.700) |",
        "| classification, mean AUROC | all | - | - |",
        "| finding | T3D | with other patients' reports |",
        "- T3D: mean AUROC 0.720 (0.680 to 0.760), above chance, .5.",
        "- with other patients' reports: mean AUROC 0.530 (0.490 to 0.600), not shown to be above chance, .5.",
    ):
        assert words in page
    assert (tmp_path / "summary.png").stat().st_size > 10_000
    # the HTML has every cell and sentence of the Markdown
    found = parsed((tmp_path / "summary.html").read_text())
    assert not found.scripts
    cells = [cell for line in page.splitlines() if line.startswith("| ") for cell in line.strip("| ").split(" | ")]
    assert cells == found.cells


def test_held_out_phantoms_are_shown(tmp_path):
    demo(tmp_path)
    array = np.zeros((4, 4, 4), np.uint8)
    array[1] = 6
    for case in ("a", "b"):
        nifti(tmp_path / f"data/images/{case}.nii.gz", array.astype(np.int16) * 100)
        nifti(tmp_path / f"data/labels/{case}.nii.gz", array)
    nifti(tmp_path / "features/b_text.nii.gz", np.arange(8, dtype=np.float32).reshape(2, 2, 2), np.diag([2, 2, 2, 1]))
    (tmp_path / "sentence.txt").write_text("Large effusion.\n")
    items = [
        {"case_id": case, "patient_id": case, "image": f"images/{case}.nii.gz", "label": f"labels/{case}.nii.gz",
         "report": "FINDINGS: a secret.", "findings": {"lung_nodule": 1, "kidney_cyst": 0}}
        for case in ("a", "b")
    ]  # fmt: skip
    write(tmp_path / "data/datalist.json", {"training": [], "validation": [], "test": items})
    for start in ("t3d", "scratch"):
        downstream(tmp_path, start, 0.7)
        file = tmp_path / f"segmentation_{start}" / "eval" / "metrics.json"
        measures = {"dice": 0.5, "hd95": None, "label_ml": 1.0, "predicted_ml": 1.0}
        per_case = [{"case_id": case, "patient_id": case, "classes": {"aorta_1": measures}} for case in ("a", "b")]
        write(file, {**json.loads(file.read_text()), "per_case": per_case})
        write(tmp_path / f"segmentation_{start}/models/model.json", {"labels": {"background": 0, "aorta_1": [6]}})
        for case in ("a", "b"):
            nifti(tmp_path / f"segmentation_{start}/eval/{case}_pred.nii.gz", array)
    summary(str(tmp_path))
    page = (tmp_path / "summary.html").read_text()
    assert "secret" not in page
    data = json.loads(parsed(page).scripts[0])
    assert data["classes"] == [{"name": "aorta_1", "colour": "#1f77b4"}]
    names = ["truth", "prediction, T3D", "prediction, from scratch"]
    for case in data["cases"]:
        assert [layer["name"] for layer in case["labels"]] == names
        assert all((unpack(layer) == (array > 0)).all() for layer in case["labels"])
        assert case["note"].startswith("Findings of this phantom: lung nodule. ")
    assert [[one["name"] for one in case["maps"]] for case in data["cases"]] == [[], ["text map: Large effusion."]]


def test_starts_that_learnt_from_other_labels_are_not_compared(tmp_path):
    demo(tmp_path)
    downstream(tmp_path, "t3d", 0.7)
    downstream(tmp_path, "twin", 0.7, cases=4)
    with pytest.raises(T3DError, match="segmentation_twin learnt from other labels"):
        summary(str(tmp_path))


def test_pretraining_alone_makes_a_page(tmp_path):
    demo(tmp_path)
    summary(str(tmp_path))
    assert "few labels" not in (tmp_path / "summary.md").read_text()


def test_curves_are_read_back(tmp_path):
    demo(tmp_path)
    assert training_curves(tmp_path / "t3d" / "eval" / "tensorboard") == {"loss": ([0, 1, 2], [3.0, 2.0, 1.0])}
    assert training_curves(tmp_path / "nothing") == {}


def test_a_missing_step_is_named(tmp_path):
    with pytest.raises(T3DError, match="run the evaluation first"):
        summary(str(tmp_path))
