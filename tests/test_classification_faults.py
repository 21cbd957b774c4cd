"""What the classification bundle refuses, leaves out or warns about, each in one sentence."""

import json
import shutil

import nibabel
import numpy as np
import pytest
import torch
from bundle_runs import said
from classification_runs import NAMES, RUNS, TINY, infer, run
from monai.bundle import ConfigParser

FINDINGS = TINY["findings"]


def lists_of(cohort):
    return json.loads((cohort / "datalist.json").read_text())


def test_earlier_results_are_not_overwritten_unasked(trained_classification, cohort):
    with pytest.raises(RuntimeError) as caught:
        infer(cohort, trained_classification, output_dir=str(trained_classification / "out"))
    assert "overwrite True" in said(caught)
    with pytest.raises(RuntimeError) as caught:
        run((*NAMES, "evaluate"), cohort, trained_classification)
    assert "overwrite True" in said(caught)


def test_a_failing_case_does_not_stop_the_others(trained_classification, cohort, tmp_path):
    folder = shutil.copytree(cohort, tmp_path / "cohort")
    case = lists_of(folder)["test"][1]
    path = folder / case["image"]
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(RuntimeError) as caught:
        infer(folder, trained_classification, output_dir=str(tmp_path / "out"))
    assert f"1 of {len(lists_of(folder)['test'])} cases failed" in said(caught)
    predictions = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert [failure["case_id"] for failure in predictions["failed"]] == [case["case_id"]]
    assert case["case_id"] not in {done["case_id"] for done in predictions["cases"]}
    assert len(predictions["cases"]) == len(lists_of(folder)["test"]) - 1
    with pytest.raises(RuntimeError):
        run((*NAMES, "evaluate"), folder, trained_classification, output_dir=str(tmp_path / "eval"))
    metrics = json.loads((tmp_path / "eval" / "metrics.json").read_text())
    assert [failure["case_id"] for failure in metrics["failed"]] == [case["case_id"]]
    assert metrics["cases"] == len(predictions["cases"])


def test_the_encoder_is_loaded_and_a_mismatch_is_named(cohort, classification_encoder, tmp_path):
    run(NAMES, cohort, tmp_path / "a", encoder_weights=str(classification_encoder), freeze_epochs=9, layer_decay=0.5)
    before = torch.load(classification_encoder.with_name("encoder.pt"), weights_only=True)
    after = torch.load(tmp_path / "a" / "models" / "model_last.pt", weights_only=True)
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items()), "a frozen encoder moved"
    record = json.loads((tmp_path / "a" / "models" / "model.json").read_text())
    sha = json.loads(classification_encoder.with_name("encoder.json").read_text())["files"]["encoder.safetensors"]
    assert record["recipe"]["encoder_weights"] == f"sha256:{sha}"
    for options, words in (
        ({"hu_range": [-200, 300]}, "hu_range [-1000, 1000] there, [-200, 300] here"),
        ({"feature_size": 24}, "feature_size is 12 there and 24 here"),
    ):
        with pytest.raises(RuntimeError) as caught:
            run(NAMES, cohort, tmp_path / "b", encoder_weights=str(classification_encoder), **options)
        assert words in said(caught)
        assert not (tmp_path / "b" / "models").exists()
    run(
        NAMES,
        cohort,
        tmp_path / "b",
        encoder_weights=str(classification_encoder),
        hu_range=[-200, 300],
        ignore_preprocessing=True,
    )


def test_one_class_in_the_evaluation_gives_null(trained_classification, cohort, tmp_path):
    lists = lists_of(cohort)
    for case in lists["test"]:
        case["findings"] = {FINDINGS[0]: 1, FINDINGS[1]: case["findings"][FINDINGS[1]], FINDINGS[2]: None}
    listed = cohort / "one_class.json"
    listed.write_text(json.dumps(lists))
    run(
        (*NAMES, "evaluate"),
        cohort,
        trained_classification,
        datalist_file=str(listed),
        output_dir=str(tmp_path / "eval"),
    )
    metrics = json.loads((tmp_path / "eval" / "metrics.json").read_text())
    first, second, third = (metrics["findings"][name] for name in FINDINGS)
    assert first["auroc"] == {"value": None, "interval": None} and first["negatives"] == 0
    assert second["auroc"]["value"] is not None
    assert third["unknown"] == metrics["cases"] and third["sensitivity"]["value"] is None
    assert metrics["mean"]["auroc"]["value"] == pytest.approx(second["auroc"]["value"])


def wrong_value(lists):
    lists["training"][0]["findings"]["cardiomegaly"] = "maybe"


def all_negative(lists):
    for case in lists["training"]:
        case["findings"]["lung_nodule"] = 0


FAULTS = {
    "value": (wrong_value, ["{case}", "cardiomegaly", "'maybe'", "0, 1, or null"], {}),
    "one class": (all_negative, ["lung_nodule", "negative", "training"], {}),
    "unknown finding": (lambda lists: None, ["gout", "correct its name"], {"findings": ["gout", "cardiomegaly"]}),
    "empty choice": (lambda lists: None, ["distinct names"], {"findings": []}),
    "crop side": (lambda lists: None, ["40", "divisible by 32"], {"crop_size": 40}),
    "fraction": (lambda lists: None, ["--label_fraction is 0"], {"label_fraction": 0}),
    "no encoder file": (lambda lists: None, ["nowhere.pt"], {"encoder_weights": "nowhere.pt"}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_clear_sentence(fault, cohort, tmp_path):
    make, words, options = FAULTS[fault]
    lists = lists_of(cohort)
    make(lists)
    listed = cohort / "faulty.json"
    listed.write_text(json.dumps(lists))
    with pytest.raises(Exception) as caught:  # noqa: B017 - MONAI wraps it; plain_message finds ours inside
        run(NAMES, cohort, tmp_path / "out", datalist_file=str(listed), **options)
    for word in words:
        assert word.format(case=lists["training"][0]["case_id"]) in said(caught)
    assert not list((tmp_path / "out").glob("models/*.pt"))


def test_without_thresholds_the_default_is_used_and_said(trained_classification, cohort, tmp_path, caplog):
    models = shutil.copytree(trained_classification / "models", tmp_path / "models")
    (models / "thresholds.json").unlink()
    infer(cohort, tmp_path, output_dir=str(tmp_path / "out"))
    assert "all thresholds are 0.5" in caplog.text
    assert set(json.loads((tmp_path / "out" / "predictions.json").read_text())["thresholds"].values()) == {0.5}


def test_values_that_are_no_hu_are_said(trained_classification, tmp_path, caplog):
    (tmp_path / "scans").mkdir()
    image = nibabel.Nifti1Image(np.full((20, 20, 20), 100, np.uint8), np.diag([12.0, 12, 12, 1]))
    nibabel.save(image, tmp_path / "scans" / "mr.nii.gz")
    infer(tmp_path / "scans", trained_classification, output_dir=str(tmp_path / "out"))
    assert "case mr" in caplog.text and "HU" in caplog.text


def cut_lists(cohort, folder, *, evaluated=False, **options):
    """Cases of each list that a run of few labels would take."""
    parser = ConfigParser()
    names = ("train", "demo", *(("evaluate",) if evaluated else ()))
    parser.read_config(RUNS.config_files(*names))
    parser.update({**RUNS.places(cohort, folder), **RUNS.tiny, "label_fraction": 0.25, **options})
    found = {part: parser.get_parsed_content(f"{part}#dataset#data") for part in ("train", "validate")}
    return {part: [item["case_id"] for item in items] for part, items in found.items()}, parser


def test_few_labels_are_few_in_validation_too_and_all_in_the_test(cohort, tmp_path):
    lists = lists_of(cohort)
    whole = [item["case_id"] for item in lists["validation"]]
    few, parser = cut_lists(cohort, tmp_path)
    recipe = parser.get_parsed_content("recipe")
    assert recipe["label_fraction"] == recipe["validation_fraction"] == 0.25
    assert 0 < len(few["validate"]) < len(whole) and set(few["validate"]) < set(whole)
    record = json.loads((tmp_path / "models" / "label_fraction.json").read_text())
    assert record["validation"]["cases"] == sorted(few["validate"]) and record["cases"] == sorted(few["train"])
    as_before, _ = cut_lists(cohort, tmp_path / "old", validation_fraction=1)
    assert as_before == {"train": few["train"], "validate": whole}
    assert "validation" not in json.loads((tmp_path / "old" / "models" / "label_fraction.json").read_text())
    tested, _ = cut_lists(cohort, tmp_path, evaluated=True)
    assert tested["validate"] == [item["case_id"] for item in lists["test"]]


def test_a_training_with_one_validation_case_left_works(cohort, tmp_path, caplog):
    run(NAMES, cohort, tmp_path, validation_fraction=0.01, max_epochs=1)
    record = json.loads((tmp_path / "models" / "label_fraction.json").read_text())
    assert len(record["validation"]["cases"]) == 1 and "cases" not in record
    assert "the best model is chosen by the loss" in caplog.text
    assert (tmp_path / "models" / "thresholds.json").is_file() and (tmp_path / "models" / "model.pt").is_file()
