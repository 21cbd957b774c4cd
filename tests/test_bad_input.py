"""What a user may get wrong, seen through the bundle: one clear sentence, and nothing written half."""

import json
import shutil

import nibabel
import numpy as np
import pytest
from pretrain_runs import run

from t3d.errors import plain_message


def item(lists, index=0):
    return lists["training"][index]


def replace_image(folder, lists, array):
    path = folder / item(lists)["image"]
    nibabel.save(nibabel.Nifti1Image(array, np.diag([12.0, 12, 12, 1])), path)


def truncated(folder, lists):
    path = folder / item(lists)["image"]
    path.write_bytes(path.read_bytes()[:4000])


def not_finite(folder, lists):
    array = np.zeros((40, 40, 40), np.float32)
    array[3, 4, 5] = np.nan
    replace_image(folder, lists, array)


def second_patient(folder, lists):
    lists["test"][0]["patient_id"] = item(lists)["patient_id"]


def same_id(folder, lists):
    item(lists, 1)["case_id"] = item(lists)["case_id"]


# fault, how it is made, what the message says, options of the run
FAULTS = {
    "missing image": (lambda f, d: (f / item(d)["image"]).unlink(), ["{case}", "not"], {}),
    "truncated image": (truncated, ["{case}"], {}),
    "2D image": (lambda f, d: replace_image(f, d, np.zeros((40, 40), np.int16)), ["{case}", "2D"], {}),
    "4D image": (lambda f, d: replace_image(f, d, np.zeros((9, 9, 9, 2), np.int16)), ["{case}", "9 x 9 x 9 x 2"], {}),
    "NaN voxel": (not_finite, ["{case}", "finite"], {}),
    "empty report": (lambda f, d: item(d).update(report="  \n"), ["{case}", "report", "use_text"], {}),
    "no report": (lambda f, d: item(d).pop("report"), ["{case}", "report", "use_text"], {}),
    "duplicate case id": (same_id, ["{case}"], {}),
    "patient in two splits": (second_patient, ["{case}", "training", "test", "of one patient"], {}),
    "batch of one": (lambda f, d: None, ["batch_size is 1", "2 or more"], {"batch_size": 1}),
    "more than there are": (lambda f, d: None, ["lower batch_size"], {"batch_size": 500}),
    "crop side": (lambda f, d: None, ["40", "divisible by 32"], {"crop_size": 40}),
    "text width": (lambda f, d: None, ["--text_width 64"], {"text_width": 768}),
    "unknown candidates": (lambda f, d: None, ["shared_report"], {"candidates": "text"}),
    "no datalist": (lambda f, d: None, ["nowhere.json"], {"datalist_file": "nowhere.json"}),
    "hub not reached": (lambda f, d: None, ["nobody/nothing", "--text_encoder"], {"text_encoder": "nobody/nothing"}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_clear_sentence(fault, cohort, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = shutil.copytree(cohort, tmp_path / "cohort")
    lists = json.loads((folder / "datalist.json").read_text())
    make, words, options = FAULTS[fault]
    names = {"case": item(lists)["case_id"]}
    reports = [case["report"] for case in lists["training"] if case.get("report")]
    make(folder, lists)
    (folder / "datalist.json").write_text(json.dumps(lists))
    with pytest.raises(Exception) as caught:  # noqa: B017 - MONAI wraps it; plain_message finds ours inside
        run(("train", "demo"), folder, tmp_path / "out", max_epochs=1, **options)
    message = plain_message(caught.value)
    assert message is not None, caught.value
    for word in words:
        assert word.format(**names) in message
    assert not any(report[:60] in message for report in reports)
    assert not list((tmp_path / "out").glob("models/*")), "a checkpoint was written"


def test_text_encoder_folder_without_tokenizer(cohort, tmp_path):
    run(("train", "demo"), cohort, tmp_path / "first", max_epochs=1, steps_per_epoch=1)
    encoder = shutil.copytree(tmp_path / "first" / "eval" / "tiny_bert", tmp_path / "encoder")
    for path in [*encoder.glob("tokenizer*"), *encoder.glob("vocab*")]:
        path.unlink()
    with pytest.raises(Exception) as caught:  # noqa: B017 - as above
        run(("train", "demo"), cohort, tmp_path / "second", text_encoder=str(encoder))
    message = plain_message(caught.value)
    assert str(encoder) in message and "tokenizer.json" in message
