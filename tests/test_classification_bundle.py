import csv
import json
import shutil

import nibabel
import numpy as np
import pytest
import torch
from bundle_runs import finish_here
from classification_runs import BUNDLE, NAMES, TINY, command, config_files, infer, places, run
from dicom_writer import write_series
from monai.bundle import ConfigWorkflow, load, verify_metadata, verify_net_in_out
from monai.networks.nets import SwinUNETR

import t3d
from t3d.bundle.recipe import classifier_names
from t3d.data.findings import DEFAULT_FINDINGS
from t3d.networks.volume_classifier import RECORDED

FINDINGS = TINY["findings"]
PREPROCESSING = {"spacing": [12.0] * 3, "orientation": "RAS", "hu_range": [-1000, 1000], "crop_size": 32}


def read(name):
    return json.loads((BUNDLE / "configs" / f"{name}.json").read_text())


def lists_of(cohort):
    return json.loads((cohort / "datalist.json").read_text())


@pytest.mark.parametrize(("names", "kind"), [(NAMES, "train"), (("inference",), "inference")])
def test_monai_finds_all_properties(names, kind, cohort, tmp_path):
    workflow = ConfigWorkflow(
        config_file=config_files(*names), workflow_type=kind, logging_file=False, **places(cohort, tmp_path)
    )
    workflow.initialize()
    assert workflow.check_properties() == []


def test_metadata_fits_the_schema_the_package_and_the_default_findings(shared_data, tmp_path):
    schema = shutil.copy(shared_data / "meta_schema_20240725.json", tmp_path / "schema.json")
    verify_metadata(meta_file=str(BUNDLE / "configs" / "metadata.json"), filepath=str(schema))
    metadata = read("metadata")
    assert metadata["version"] == t3d.__version__ and metadata["version"] in metadata["changelog"]
    channels = metadata["network_data_format"]["outputs"]["pred"]["channel_def"]
    assert list(channels.values()) == list(DEFAULT_FINDINGS)


@pytest.mark.parametrize("name", ["train", "inference"])
def test_network_takes_and_gives_what_the_metadata_says(name):
    verify_net_in_out(
        net_id="network_def",
        meta_file=str(BUNDLE / "configs" / "metadata.json"),
        config_file=config_files(name),
        bundle_root=str(BUNDLE),
        crop_size=32,  # a window of 96 takes half a minute here
        feature_size=12,
    )


def test_train_and_inference_agree():
    train, inference = read("train"), read("inference")
    for key in ("preparation", "recorded", "spacing", "orientation", "hu_range", "crop_size", *RECORDED):
        assert train[key] == inference[key], key
    assert train["network_def"] == inference["network_def"]
    # the network takes its settings by their names: a setting that one stage has must be in the other's options
    assert {name for name in classifier_names() if name in train} - set(inference) == {"use_checkpoint", "dropout"}


def test_training_leaves_what_the_other_stages_need(trained_classification):
    models = trained_classification / "models"
    for name in ("model.pt", "model_last.pt", "model_best.pt", "model.json", "thresholds.json"):
        assert (models / name).is_file(), name
    record = json.loads((models / "model.json").read_text())
    assert record["findings"] == FINDINGS and record["preprocessing"] == PREPROCESSING
    assert record["network"]["feature_size"] == 12 and record["recipe"]["train_windows"] == 2
    thresholds = json.loads((models / "thresholds.json").read_text())
    assert list(thresholds["findings"]) == FINDINGS and thresholds["chosen_on"] == "validation"
    assert thresholds["model_sha256"] == record["files"]["model.pt"]
    assert list((trained_classification / "eval" / "tensorboard").glob("events*"))


def test_metrics_have_all_their_parts(trained_classification, cohort):
    metrics = json.loads((trained_classification / "eval" / "metrics.json").read_text())
    test = lists_of(cohort)["test"]
    assert metrics["cases"] == len(test)
    assert [case["case_id"] for case in metrics["per_case"]] == [case["case_id"] for case in test]
    assert list(metrics["findings"]) == FINDINGS
    for name, found in metrics["findings"].items():
        assert found["positives"] == sum(case["findings"][name] == 1 for case in test)
        assert found["positives"] + found["negatives"] + found["unknown"] == len(test)
        for metric in ("auroc", "auprc", "f1", "sensitivity", "specificity", "calibration_error"):
            assert set(found[metric]) == {"value", "interval"}
    assert set(metrics["mean"]) == {"auroc", "auprc", "f1", "sensitivity", "specificity", "calibration_error"}
    assert (trained_classification / "eval" / "roc.png").stat().st_size > 1000
    page = (trained_classification / "eval" / "page.html").read_text()
    assert '"cases": [{"name": "1 of ' in page and '"columns": ["finding", "score", "truth"]' in page
    rows = list(csv.DictReader((trained_classification / "eval" / "metrics.csv").open()))
    assert [row["finding"] for row in rows] == FINDINGS


def test_inference_gives_the_scores_of_the_evaluation(trained_classification, cohort):
    predictions = json.loads((trained_classification / "out" / "predictions.json").read_text())
    metrics = json.loads((trained_classification / "eval" / "metrics.json").read_text())
    assert predictions["findings"] == FINDINGS and predictions["failed"] == []
    for one, other in zip(predictions["cases"], metrics["per_case"], strict=True):
        assert one["case_id"] == other["case_id"]
        assert one["scores"] == pytest.approx(other["scores"], abs=1e-5)
        for name, score in one["scores"].items():
            assert one["positive"][name] == int(score >= predictions["thresholds"][name])
    rows = list(csv.DictReader((trained_classification / "out" / "predictions.csv").open()))
    assert [row["case_id"] for row in rows] == [case["case_id"] for case in predictions["cases"]]


def test_attention_lies_in_the_frame_of_the_input(trained_classification, cohort):
    case = lists_of(cohort)["test"][0]
    scan = nibabel.load(cohort / case["image"])
    found = nibabel.load(trained_classification / "out" / f"{case['case_id']}_attention.nii.gz")
    assert found.shape[3] == len(FINDINGS)
    values = found.get_fdata()
    assert values.min() >= 0 and values.max() > 0 and np.isfinite(values).all()
    # the middles of both grids lie at the same place, to within a voxel of the prepared volume
    middles = [nibabel.affines.apply_affine(im.affine, (np.array(im.shape[:3]) - 1) / 2) for im in (scan, found)]
    assert np.abs(middles[0] - middles[1]).max() <= 12 * 8 / 2 + 12
    assert (trained_classification / "out" / f"{case['case_id']}_attention.png").stat().st_size > 1000


def test_bundle_load_returns_the_network_with_its_weights(trained_classification, tmp_path):
    bundle = shutil.copytree(BUNDLE, tmp_path / "t3d_classification")
    shutil.copytree(trained_classification / "models", bundle / "models", dirs_exist_ok=True)
    expected = torch.load(trained_classification / "models" / "model.pt", weights_only=True)
    for kind in ("train", "inference"):
        network = load("t3d_classification", bundle_dir=tmp_path, workflow_type=kind)
        state = network.state_dict()
        assert state.keys() == expected.keys()
        assert all(torch.equal(value, expected[name]) for name, value in state.items())


@pytest.mark.parametrize("pooling", ["tokens", "attention"])
def test_linear_probe_computes_features_once_and_trains_the_head_alone(
    cohort, classification_encoder, tmp_path, pooling
):
    names = (*NAMES, "linear_probe")
    options = {"encoder_weights": str(classification_encoder), "max_epochs": 2, "steps_per_epoch": None}
    options["pooling"] = pooling
    run(names, cohort, tmp_path, **options)
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "eval" / "window_features").iterdir()}
    lists = lists_of(cohort)
    assert len(files) == len(lists["training"]) + len(lists["validation"])
    run(names, cohort, tmp_path / "again", **options, feature_cache_dir=str(tmp_path / "eval" / "window_features"))
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "eval" / "window_features").iterdir()} == files
    start = torch.load(classification_encoder.with_name("encoder.pt"), weights_only=True)
    found = torch.load(tmp_path / "models" / "model_last.pt", weights_only=True)
    assert all(torch.equal(found[name], tensor) for name, tensor in start.items())
    run((*names, "evaluate"), cohort, tmp_path, **options)
    assert len(list((tmp_path / "eval" / "window_features").iterdir())) == len(files) + len(lists["test"])
    # the model that the probe leaves serves whole volumes alike
    infer(cohort, tmp_path, output_dir=str(tmp_path / "out"))
    cached = json.loads((tmp_path / "eval" / "metrics.json").read_text())["per_case"]
    live = json.loads((tmp_path / "out" / "predictions.json").read_text())["cases"]
    for one, other in zip(live, cached, strict=True):
        assert one["scores"] == pytest.approx(other["scores"], abs=1e-5)
    record = json.loads((tmp_path / "models" / "model.json").read_text())
    assert record["network"]["pooling"] == pooling
    assert ("tokens.linear.weight" in found) == (pooling == "tokens")
    scan = cohort / lists["test"][0]["image"]
    said = t3d.classify(scan, tmp_path / "models", device="cpu")
    assert {name: score.score for name, score in said.items()} == pytest.approx(live[0]["scores"], abs=1e-5)


def test_label_fractions_are_recorded(cohort, tmp_path):
    run((*NAMES, "few_shot"), cohort, tmp_path, label_fraction=0.25, freeze_epochs=1)
    record = json.loads((tmp_path / "models" / "label_fraction.json").read_text())
    assert record["fraction"] == 0.25 and 0 < len(record["cases"]) < record["of"]["cases"]
    assert json.loads((tmp_path / "models" / "model.json").read_text())["recipe"]["label_fraction"] == 0.25


def test_all_findings_of_the_list_are_taken_and_found_again(cohort, tmp_path):
    run(NAMES, cohort, tmp_path, findings=None, max_epochs=1, steps_per_epoch=1)
    names = json.loads((tmp_path / "models" / "model.json").read_text())["findings"]
    assert names == sorted(lists_of(cohort)["training"][0]["findings"]) and len(names) == 13
    infer(cohort, tmp_path, output_dir=str(tmp_path / "out"))
    assert json.loads((tmp_path / "out" / "predictions.json").read_text())["findings"] == names


def test_a_plain_folder_and_no_datalist_are_enough_from_another_directory(trained_classification, cohort, tmp_path):
    case = lists_of(cohort)["test"][0]
    (tmp_path / "scans").mkdir()
    shutil.copy(cohort / case["image"], tmp_path / "scans" / "scan.nii.gz")
    line = command(("inference",), tmp_path / "scans", trained_classification, output_dir=str(tmp_path / "out"))
    result = finish_here(line, tmp_path / "elsewhere")
    assert result.returncode == 0, result.stderr
    (found,) = json.loads((tmp_path / "out" / "predictions.json").read_text())["cases"]
    expected = json.loads((trained_classification / "out" / "predictions.json").read_text())["cases"][0]
    assert found["case_id"] == "scan" and found["scores"] == pytest.approx(expected["scores"], abs=1e-5)


def test_stock_swin_unetr_weights_are_taken(cohort, tmp_path):
    torch.manual_seed(1)
    stock = SwinUNETR(in_channels=1, out_channels=2, feature_size=12, window_size=2)
    torch.save(stock.state_dict(), tmp_path / "stock.pt")
    run(NAMES, cohort, tmp_path, encoder_weights=str(tmp_path / "stock.pt"), freeze_epochs=9, max_epochs=1)
    state = torch.load(tmp_path / "models" / "model.pt", weights_only=True)
    assert torch.equal(state["swinViT.patch_embed.proj.weight"], stock.state_dict()["swinViT.patch_embed.proj.weight"])


def test_a_dicom_series_is_scored_like_its_nifti_file(trained_classification, cohort, tmp_path):
    random = np.random.default_rng(0)
    voxels = random.integers(-900, 900, (20, 24, 10)).astype(np.int16)
    affine = write_series(tmp_path / "scans" / "serial", voxels)
    nibabel.save(nibabel.Nifti1Image(voxels, affine), tmp_path / "scans" / "file.nii.gz")
    infer(tmp_path / "scans", trained_classification, output_dir=str(tmp_path / "out"), save_attention=True)
    one, other = json.loads((tmp_path / "out" / "predictions.json").read_text())["cases"]
    assert {one["case_id"], other["case_id"]} == {"serial", "file"}
    assert one["scores"] == pytest.approx(other["scores"], abs=1e-5)
